import { messageOf } from "@ngpu/runtime/errors";
import { WebSocket } from "ws";
import { type Header, headerOf } from "../header.ts";

export type RpcRequest = { method: string; params?: unknown };

/** Answers one question; for a block just told of, sooner than over HTTP. @throws Error for any fault: ask elsewhere then */
export type Announcer = { request(rpcRequest: RpcRequest): Promise<unknown> };

export type HeadSocketOptions = {
  chainId: number;
  signal: AbortSignal;
  /** Milliseconds of silence after which a connection must answer a ping. Default 10,000. */
  idleTimeout?: number;
  onHead: (header: Header, announcer: Announcer) => void;
  /** The subscription is there. */
  onLive: () => void;
};

type Message = { id?: number; method?: string; params?: unknown; result?: unknown; error?: unknown };

const ids = { chain: 1, heads: 2 };
const requestTimeout = 2_000;
// The logs of a full block.
const maxPayload = 64 * 1024 * 1024;

/** A connection that is subscribed to heads, until it breaks. @returns why it did */
export async function subscribeToHeads(url: string, options: HeadSocketOptions): Promise<string> {
  const { chainId, signal, idleTimeout = 10_000, onHead, onLive } = options;
  const socket = new WebSocket(url, { handshakeTimeout: idleTimeout, maxPayload });
  const ended = Promise.withResolvers<string>();
  const end = (reason: string) => {
    ended.resolve(reason);
    socket.terminate();
  };
  const stop = () => end("stopped");
  signal.addEventListener("abort", stop, { once: true });
  let lastMessageAt = performance.now();
  const watch = setInterval(() => {
    if (performance.now() - lastMessageAt > 2 * idleTimeout) end("silent");
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, idleTimeout).unref();
  const sendRequest = (id: number, method: string, params: unknown) =>
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  const { announcer, answered, lost } = createAnnouncer(sendRequest);
  const take = (message: Message) => {
    if (message.method === "eth_subscription") {
      onHead(headerOf((message.params as { result: unknown }).result), announcer);
    } else if (answered(message)) return;
    else if (message.error !== undefined) end("no subscription");
    else if (message.id === ids.chain && Number(message.result) !== chainId) end("another chain");
    else if (message.id === ids.heads) onLive();
  };
  socket.on("open", () => {
    sendRequest(ids.chain, "eth_chainId", []);
    sendRequest(ids.heads, "eth_subscribe", ["newHeads"]);
  });
  socket.on("pong", () => {
    lastMessageAt = performance.now();
  });
  socket.on("message", (data) => {
    lastMessageAt = performance.now();
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

function createAnnouncer(sendRequest: (id: number, method: string, params: unknown) => void) {
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let last = Math.max(...Object.values(ids));
  const announcer: Announcer = {
    request: async ({ method, params }) => {
      const id = ++last;
      const answer = Promise.withResolvers<unknown>();
      open.set(id, answer);
      const late = setTimeout(
        () => answer.reject(new Error(`no answer within ${requestTimeout} ms`)),
        requestTimeout,
      );
      try {
        sendRequest(id, method, params);
        return await answer.promise;
      } finally {
        clearTimeout(late);
        open.delete(id);
      }
    },
  };
  return {
    announcer,
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
