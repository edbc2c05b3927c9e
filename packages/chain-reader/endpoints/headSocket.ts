import { messageOf } from "@ngpu/runtime/errors";
import { WebSocket } from "ws";
import { type Header, headerOf } from "../header.ts";

export type Question = { method: string; params?: unknown };

/** Answers one question; for a block just told of, sooner than over HTTP. @throws Error for any fault: ask elsewhere then */
export type Teller = { request(question: Question): Promise<unknown> };

export type HeadSocketOptions = {
  chainId: number;
  signal: AbortSignal;
  /** Milliseconds of silence after which a connection must answer a ping. Default 10,000. */
  silence?: number;
  onHead: (header: Header, teller: Teller) => void;
  /** The subscription is there. */
  onLive: () => void;
};

type Message = { id?: number; method?: string; params?: unknown; result?: unknown; error?: unknown };

const ids = { chain: 1, heads: 2 };
const patience = 2_000;
// The logs of a full block.
const maxPayload = 64 * 1024 * 1024;

/** A connection that is subscribed to heads, until it breaks. @returns why it did */
export async function subscribeToHeads(url: string, options: HeadSocketOptions): Promise<string> {
  const { chainId, signal, silence = 10_000, onHead, onLive } = options;
  const socket = new WebSocket(url, { handshakeTimeout: silence, maxPayload });
  const ended = Promise.withResolvers<string>();
  const end = (reason: string) => {
    ended.resolve(reason);
    socket.terminate();
  };
  const stop = () => end("stopped");
  signal.addEventListener("abort", stop, { once: true });
  let heardAt = performance.now();
  const watch = setInterval(() => {
    if (performance.now() - heardAt > 2 * silence) end("silent");
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, silence).unref();
  const ask = (id: number, method: string, params: unknown) =>
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  const { teller, answered, lost } = createTeller(ask);
  const take = (message: Message) => {
    if (message.method === "eth_subscription") {
      onHead(headerOf((message.params as { result: unknown }).result), teller);
    } else if (answered(message)) return;
    else if (message.error !== undefined) end("no subscription");
    else if (message.id === ids.chain && Number(message.result) !== chainId) end("another chain");
    else if (message.id === ids.heads) onLive();
  };
  socket.on("open", () => {
    ask(ids.chain, "eth_chainId", []);
    ask(ids.heads, "eth_subscribe", ["newHeads"]);
  });
  socket.on("pong", () => {
    heardAt = performance.now();
  });
  socket.on("message", (data) => {
    heardAt = performance.now();
    try {
      take(JSON.parse(String(data)) as Message);
    } catch (error) {
      end(messageOf(error));
    }
  });
  socket.on("error", (error) => end(messageOf(error)));
  socket.on("close", (code) => end(`closed with ${code}`));
  try {
    return await ended.promise;
  } finally {
    clearInterval(watch);
    lost();
    signal.removeEventListener("abort", stop);
  }
}

function createTeller(ask: (id: number, method: string, params: unknown) => void) {
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let last = Math.max(...Object.values(ids));
  const teller: Teller = {
    request: async ({ method, params }) => {
      const id = ++last;
      const answer = Promise.withResolvers<unknown>();
      open.set(id, answer);
      const late = setTimeout(() => answer.reject(new Error(`no answer within ${patience} ms`)), patience);
      try {
        ask(id, method, params);
        return await answer.promise;
      } finally {
        clearTimeout(late);
        open.delete(id);
      }
    },
  };
  return {
    teller,
    /** Whether the message was an answer to a question of the teller's, in time or late. */
    answered: ({ id, result, error }: Message) => {
      if (typeof id !== "number" || id <= ids.heads) return false;
      if (error === undefined) open.get(id)?.resolve(result);
      else open.get(id)?.reject(new Error(`the endpoint answers ${JSON.stringify(error)}`));
      return true;
    },
    lost: () => {
      for (const { reject } of open.values()) reject(new Error("the connection broke"));
    },
  };
}
