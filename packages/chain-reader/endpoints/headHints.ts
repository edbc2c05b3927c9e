import { addAbortListener } from "node:events";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { Hex } from "viem";
import type { Header } from "../header.ts";
import { type Announcer, type HeadSocketOptions, subscribeToHeads } from "./headSocket.ts";
import type { RpcRequest } from "./jsonRpc.ts";

/** Announcements of new heads by endpoints. They are hints: their content is verified like any response. */
export type HeadHints = {
  /** Returns the headers announced since the last call, in order of arrival. */
  take: () => Header[];
  /** Resolves at the next announcement, or after the milliseconds. Resolves immediately if headers are waiting. */
  wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /**
   * The first connection that announced a block: its endpoint has the block, and the connection is open. Returned once
   * for each block, so that a retry uses another endpoint.
   */
  announcerOf: (hash: Hex) => Announcer | undefined;
  /**
   * Registers a request that is sent to the announcer of a block as soon as the block is announced (undefined: none). A
   * later equal request to that announcer uses its response. @returns A function that removes the registration.
   */
  requestEarly: (rpcRequest: (header: Header) => RpcRequest | undefined) => () => void;
  /** Reports that an endpoint omitted logs. For ten minutes `announcerOf` returns none: only scored endpoints are used. */
  suspect: () => void;
  /** Whether any subscription is live. */
  live: () => boolean;
};

export type HeadHintsOptions = Pick<HeadSocketOptions, "chainId" | "signal" | "idleTimeout"> & {
  /** WebSocket URLs; all are subscribed to, and the first announcement of a block counts. */
  urls: readonly string[];
  logger: Logger;
  /** Milliseconds before the first reconnection attempt; doubles up to 30 s. Default 500. */
  retry?: number;
};

// Beyond this limit a busy consumer loses hints and reads the blocks itself.
const maxQueued = 256;
const maxRetryDelay = 30_000;
const suspectMs = 600_000;

/** The announced headers, and the requests to send to announcers. */
type Announcements = {
  waiting: Header[];
  wakeUp: PromiseWithResolvers<void>;
  /** The announcers of the latest blocks, by block hash; undefined once returned. */
  announcers: Map<Hex, Announcer | undefined>;
  earlyRequests: Set<(header: Header) => RpcRequest | undefined>;
  suspectedAt: number;
  /** URLs with a live subscription. */
  liveUrls: Set<string>;
};

/** Subscribes to the heads of all endpoints and reconnects broken connections, until the signal is aborted. */
export function listenForHeads(options: HeadHintsOptions): HeadHints {
  const announcements: Announcements = {
    waiting: [],
    wakeUp: Promise.withResolvers(),
    announcers: new Map(),
    earlyRequests: new Set(),
    suspectedAt: Number.NEGATIVE_INFINITY,
    liveUrls: new Set(),
  };
  for (const url of options.urls) void listen(announcements, url, options);
  return {
    take: () => {
      const headers = announcements.waiting;
      announcements.waiting = [];
      announcements.wakeUp = Promise.withResolvers();
      return headers;
    },
    wait: (milliseconds, until) => waitFor(announcements, milliseconds, until),
    suspect: () => {
      announcements.suspectedAt = performance.now();
    },
    announcerOf: (hash) => announcerOf(announcements, hash),
    requestEarly: (rpcRequest) => {
      announcements.earlyRequests.add(rpcRequest);
      return () => announcements.earlyRequests.delete(rpcRequest);
    },
    live: () => announcements.liveUrls.size > 0,
  };
}

async function listen(announcements: Announcements, url: string, options: HeadHintsOptions): Promise<void> {
  const { logger, signal, retry = 500 } = options;
  let failures = 0;
  while (!signal.aborted) {
    const reason = await subscribeToHeads(url, {
      ...options,
      onHead: (header, announcer) => handleHead(announcements, header, announcer),
      onLive: () => {
        failures = 0;
        announcements.liveUrls.add(url);
      },
    });
    announcements.liveUrls.delete(url);
    if (signal.aborted) return;
    failures += 1;
    // Many endpoints have no subscriptions. That is logged at level info once, not at each attempt.
    const level = failures === 1 ? "info" : "debug";
    logger[level]({ event: "heads_unsubscribed", endpoint: new URL(url).host, reason });
    await rest(Math.min(maxRetryDelay, retry * 2 ** Math.min(failures - 1, 10)), signal);
  }
}

function handleHead(announcements: Announcements, header: Header, announcer: Announcer): void {
  const { announcers, earlyRequests, waiting, wakeUp } = announcements;
  if (announcers.has(header.hash)) return;
  const rpcRequests = isSuspect(announcements)
    ? []
    : [...earlyRequests].flatMap((rpcRequest) => rpcRequest(header) ?? []);
  announcers.set(header.hash, withEarlyResponses(announcer, rpcRequests));
  if (announcers.size > 2 * maxQueued) announcers.delete(announcers.keys().next().value as Hex);
  waiting.push(header);
  if (waiting.length > maxQueued) waiting.shift();
  wakeUp.resolve();
}

async function waitFor(
  { waiting, wakeUp }: Announcements,
  milliseconds: number,
  until: AbortSignal,
): Promise<void> {
  if (waiting.length > 0) return;
  const ended = Promise.withResolvers<void>();
  using _listening = addAbortListener(until, () => ended.resolve());
  using _timer = setTimeout(ended.resolve, milliseconds).unref();
  await Promise.race([wakeUp.promise, ended.promise]);
}

function announcerOf(announcements: Announcements, hash: Hex): Announcer | undefined {
  if (isSuspect(announcements)) return undefined;
  const announcer = announcements.announcers.get(hash);
  if (announcer !== undefined) announcements.announcers.set(hash, undefined);
  return announcer;
}

function isSuspect({ suspectedAt }: Announcements): boolean {
  return performance.now() - suspectedAt < suspectMs;
}

/** Sends the requests now, and returns an announcer that serves them from these responses. */
function withEarlyResponses(announcer: Announcer, rpcRequests: readonly RpcRequest[]): Announcer {
  if (rpcRequests.length === 0) return announcer;
  const responses = new Map(
    rpcRequests.map((rpcRequest) => [JSON.stringify(rpcRequest), announcer.request(rpcRequest)]),
  );
  // A response that is never used must not cause an unhandled rejection.
  for (const response of responses.values()) response.catch(() => undefined);
  return {
    request: (rpcRequest) => responses.get(JSON.stringify(rpcRequest)) ?? announcer.request(rpcRequest),
  };
}
