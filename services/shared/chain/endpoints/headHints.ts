import { WebSocket } from "ws";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { rest } from "../../loop.ts";
import { type Header, headerOf } from "../rpc.ts";

/** Told of new blocks before anybody asks. Hints only: what they say is checked like any answer. */
export type HeadHints = {
  /** Headers that were announced since the last call, in the order of their coming. */
  take: () => Header[];
  /** Resolves at the next announcement, at once when one waits, or else after the milliseconds. */
  wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Whether any endpoint has a subscription that is alive. */
  live: () => boolean;
};

export type HeadHintsOptions = {
  /** WebSocket URLs; all are listened to, the first to tell counts. */
  urls: readonly string[];
  chainId: number;
  logger: Logger;
  signal: AbortSignal;
  /** Milliseconds of silence after which a connection must answer a ping. Default 10,000. */
  silence?: number;
  /** Milliseconds before the first try to connect anew; they double up to 30 s. Default 500. */
  retry?: number;
};

// A consumer that is busy for longer reads what it missed itself.
const mostWaiting = 256;
const longestRetry = 30_000;

/** Subscribes to the heads of all endpoints, and again whenever a connection breaks, until the signal is aborted. */
export function listenForHeads(options: HeadHintsOptions): HeadHints {
  const { urls, logger, signal, retry = 500 } = options;
  const alive = new Set<string>();
  let waiting: Header[] = [];
  let bell = Promise.withResolvers<void>();
  const seen = new Set<string>();

  function heard(header: Header): void {
    if (seen.has(header.hash)) return;
    seen.add(header.hash);
    if (seen.size > 2 * mostWaiting) seen.delete(seen.values().next().value as string);
    waiting.push(header);
    if (waiting.length > mostWaiting) waiting.shift();
    bell.resolve();
  }

  async function listen(url: string): Promise<void> {
    let faults = 0;
    while (!signal.aborted) {
      const reason = await subscribe(url, options, {
        onHead: heard,
        onLive: () => {
          faults = 0;
          alive.add(url);
        },
      });
      alive.delete(url);
      if (signal.aborted) return;
      faults += 1;
      // Many endpoints have no subscriptions: that is told once, not at each try.
      const level = faults === 1 ? "info" : "debug";
      logger[level]({ event: "heads_unsubscribed", endpoint: new URL(url).host, reason });
      await rest(Math.min(longestRetry, retry * 2 ** Math.min(faults - 1, 10)), signal);
    }
  }
  for (const url of urls) void listen(url);

  return {
    take: () => {
      const headers = waiting;
      waiting = [];
      bell = Promise.withResolvers<void>();
      return headers;
    },
    wait: async (milliseconds, until) => {
      if (waiting.length > 0) return;
      const over = new AbortController();
      const pause = rest(milliseconds, AbortSignal.any([until, over.signal]));
      await Promise.race([bell.promise, pause]);
      over.abort();
    },
    live: () => alive.size > 0,
  };
}

/** One connection, until it breaks. @returns why it did */
async function subscribe(
  url: string,
  { chainId, signal, silence = 10_000 }: HeadHintsOptions,
  { onHead, onLive }: { onHead: (header: Header) => void; onLive: () => void },
): Promise<string> {
  const socket = new WebSocket(url, { handshakeTimeout: silence, maxPayload: 4 * 1024 * 1024 });
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
  socket.on("open", () => {
    const call = (id: number, method: string, params: unknown[]) =>
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    call(1, "eth_chainId", []);
    call(2, "eth_subscribe", ["newHeads"]);
  });
  socket.on("pong", () => {
    heardAt = performance.now();
  });
  socket.on("message", (data) => {
    heardAt = performance.now();
    try {
      const message = JSON.parse(String(data)) as Record<string, unknown>;
      if (message.error !== undefined) end("no subscription");
      else if (message.id === 1 && Number(message.result) !== chainId) end("another chain");
      else if (message.id === 2) onLive();
      else if (message.method === "eth_subscription") {
        onHead(headerOf((message.params as { result: unknown }).result));
      }
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
    signal.removeEventListener("abort", stop);
  }
}
