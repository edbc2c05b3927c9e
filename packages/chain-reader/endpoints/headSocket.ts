import { messageOf } from "@ngpu/runtime/errors";
import { WebSocket } from "ws";
import { type Header, headerOf } from "../header.ts";
import type { RpcRequest } from "./jsonRpc.ts";

/**
 * Sends requests over the connection that announced a block, which is faster than over HTTP.
 * `request` throws an Error if it fails; the caller then uses another endpoint.
 */
export type Announcer = { request(rpcRequest: RpcRequest): Promise<unknown> };

export type HeadSocketOptions = {
  chainId: number;
  signal: AbortSignal;
  /** Milliseconds between pings. A connection that is silent for twice as long is closed. Default 10,000. */
  idleTimeout?: number;
  onHead: (header: Header, announcer: Announcer) => void;
  /** Called when the endpoint has confirmed the subscription. */
  onLive: () => void;
};

type Message = { id?: number; method?: string; params?: unknown; result?: unknown; error?: unknown };

const ids = { chain: 1, heads: 2 };
/** @deadline The logs of a new block from the endpoint that announced it. They are read from the endpoint in use. */
const requestTimeout = 2_000;
/** @deadline A message or pong of an endpoint with head subscriptions; twice as long for its first answer. The connection is opened again. */
const messageDeadline = 10_000;
// Large enough for the logs of a full block.
const maxPayload = 64 * 1024 * 1024;

/** A connection on which heads are announced. */
type Subscription = {
  options: HeadSocketOptions;
  socket: WebSocket;
  announcements: ReturnType<typeof createAnnouncer>;
  /** Closes the connection; the first reason counts. */
  end: (reason: string) => void;
  /** Ends the connection unless the subscription is confirmed. */
  unanswered?: NodeJS.Timeout;
};

/** Subscribes to heads over a connection until it breaks. @returns Why it broke. */
export async function subscribeToHeads(url: string, options: HeadSocketOptions): Promise<string> {
  const { signal, idleTimeout = messageDeadline } = options;
  const socket = new WebSocket(url, { handshakeTimeout: idleTimeout, maxPayload });
  const ended = Promise.withResolvers<string>();
  const end = (reason: string) => {
    ended.resolve(reason);
    socket.terminate();
  };
  const stop = () => end("stopped");
  signal.addEventListener("abort", stop, { once: true });
  const announcements = createAnnouncer((id, method, params) => sendRequest(socket, id, method, params));
  const subscription: Subscription = { options, socket, announcements, end };
  const watch = watchSilence(subscription, idleTimeout);
  subscription.unanswered = setTimeout(() => end("no answer"), 2 * idleTimeout).unref();
  socket.on("open", () => {
    sendRequest(socket, ids.chain, "eth_chainId", []);
    sendRequest(socket, ids.heads, "eth_subscribe", ["newHeads"]);
  });
  socket.on("message", (data) => {
    try {
      handle(subscription, JSON.parse(String(data)) as Message);
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
    clearTimeout(subscription.unanswered);
    announcements.fail();
    signal.removeEventListener("abort", stop);
  }
}

function sendRequest(socket: WebSocket, id: number, method: string, params: unknown): void {
  socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
}

/** Pings the endpoint, and ends a connection that is silent for twice the idle timeout. */
function watchSilence({ socket, end }: Subscription, idleTimeout: number): NodeJS.Timeout {
  let lastMessageAt = performance.now();
  const markActive = () => {
    lastMessageAt = performance.now();
  };
  socket.on("pong", markActive);
  socket.on("message", markActive);
  return setInterval(() => {
    if (performance.now() - lastMessageAt > 2 * idleTimeout) end("silent");
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, idleTimeout).unref();
}

function handle(subscription: Subscription, message: Message): void {
  const { options, announcements, end } = subscription;
  if (message.method === "eth_subscription") {
    options.onHead(headerOf((message.params as { result: unknown }).result), announcements.announcer);
  } else if (announcements.handleResponse(message)) return;
  else if (message.error !== undefined) end("no subscription");
  else if (message.id === ids.chain && Number(message.result) !== options.chainId) end("another chain");
  else if (message.id === ids.heads) {
    clearTimeout(subscription.unanswered);
    options.onLive();
  }
}

function createAnnouncer(sendRequest: (id: number, method: string, params: unknown) => void) {
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let last = Math.max(...Object.values(ids));
  const announcer: Announcer = {
    request: async ({ method, params }) => {
      const id = ++last;
      const response = Promise.withResolvers<unknown>();
      open.set(id, response);
      const late = setTimeout(
        () => response.reject(new Error(`no response within ${requestTimeout} ms`)),
        requestTimeout,
      );
      try {
        sendRequest(id, method, params);
        return await response.promise;
      } finally {
        clearTimeout(late);
        open.delete(id);
      }
    },
  };
  return {
    announcer,
    /** Handles a response to a request of the announcer. Returns false for any other message. */
    handleResponse: ({ id, result, error }: Message) => {
      if (typeof id !== "number" || id <= ids.heads) return false;
      if (error === undefined) open.get(id)?.resolve(result);
      else open.get(id)?.reject(new Error(`the endpoint returned ${JSON.stringify(error)}`));
      return true;
    },
    fail: () => {
      for (const { reject } of open.values()) reject(new Error("the connection broke"));
    },
  };
}
