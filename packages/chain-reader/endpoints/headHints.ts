import { addAbortListener } from "node:events";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { Hex } from "viem";
import type { Header } from "../header.ts";
import { type Announcer, type HeadSocketOptions, type RpcRequest, subscribeToHeads } from "./headSocket.ts";

/** Told of new blocks before anybody asks. Hints only: what they say is checked like any answer. */
export type HeadHints = {
  /** Headers that were announced since the last call, in the order of their coming. */
  take: () => Header[];
  /** Resolves at the next announcement, at once when one waits, or else after the milliseconds. */
  wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /**
   * Whoever was the first to announce a block, to be asked about that block: it is there, and its connection is open. Given once for each
   * block, so that what it says wrongly is not asked of it again.
   */
  announcerOf: (hash: Hex) => Announcer | undefined;
  /**
   * Asks whoever announces a block this about it at once (undefined: nothing), so that a teller that is asked the same has the
   * answer under way. @returns a way to end that
   */
  requestEarly: (rpcRequest: (header: Header) => RpcRequest | undefined) => () => void;
  /** Some endpoint left logs out: for a while only those that are scored are asked. */
  suspect: () => void;
  /** Whether any endpoint has a subscription that is alive. */
  live: () => boolean;
};

export type HeadHintsOptions = Pick<HeadSocketOptions, "chainId" | "signal" | "idleTimeout"> & {
  /** WebSocket URLs; all are listened to, the first to tell counts. */
  urls: readonly string[];
  logger: Logger;
  /** Milliseconds before the first try to connect anew; they double up to 30 s. Default 500. */
  retry?: number;
};

// A consumer that is busy for longer reads what it missed itself.
const maxQueued = 256;
const maxRetryDelay = 30_000;
const suspectMs = 600_000;

/** What was announced, and what is to be asked of whoever announces. */
type Heard = {
  waiting: Header[];
  wakeUp: PromiseWithResolvers<void>;
  /** By the hashes of blocks announced, the last ones; none once it was given. */
  announcers: Map<Hex, Announcer | undefined>;
  ahead: Set<(header: Header) => RpcRequest | undefined>;
  suspectedAt: number;
  /** URLs of endpoints whose subscription is alive. */
  alive: Set<string>;
};

/** Subscribes to the heads of all endpoints, and again whenever a connection breaks, until the signal is aborted. */
export function listenForHeads(options: HeadHintsOptions): HeadHints {
  const onAnnounced: Heard = {
    waiting: [],
    wakeUp: Promise.withResolvers(),
    announcers: new Map(),
    ahead: new Set(),
    suspectedAt: Number.NEGATIVE_INFINITY,
    alive: new Set(),
  };
  for (const url of options.urls) void listen(onAnnounced, url, options);
  return {
    take: () => {
      const headers = onAnnounced.waiting;
      onAnnounced.waiting = [];
      onAnnounced.wakeUp = Promise.withResolvers();
      return headers;
    },
    wait: (milliseconds, until) => waitFor(onAnnounced, milliseconds, until),
    suspect: () => {
      onAnnounced.suspectedAt = performance.now();
    },
    announcerOf: (hash) => announcerOf(onAnnounced, hash),
    requestEarly: (rpcRequest) => {
      onAnnounced.ahead.add(rpcRequest);
      return () => onAnnounced.ahead.delete(rpcRequest);
    },
    live: () => onAnnounced.alive.size > 0,
  };
}

async function listen(onAnnounced: Heard, url: string, options: HeadHintsOptions): Promise<void> {
  const { logger, signal, retry = 500 } = options;
  let failures = 0;
  while (!signal.aborted) {
    const reason = await subscribeToHeads(url, {
      ...options,
      onHead: (header, announcer) => hear(onAnnounced, header, announcer),
      onLive: () => {
        failures = 0;
        onAnnounced.alive.add(url);
      },
    });
    onAnnounced.alive.delete(url);
    if (signal.aborted) return;
    failures += 1;
    // Many endpoints have no subscriptions: that is told once, not at each try.
    const level = failures === 1 ? "info" : "debug";
    logger[level]({ event: "heads_unsubscribed", endpoint: new URL(url).host, reason });
    await rest(Math.min(maxRetryDelay, retry * 2 ** Math.min(failures - 1, 10)), signal);
  }
}

function hear(onAnnounced: Heard, header: Header, announcer: Announcer): void {
  const { announcers, ahead, waiting, wakeUp } = onAnnounced;
  if (announcers.has(header.hash)) return;
  const rpcRequests = isSuspect(onAnnounced)
    ? []
    : [...ahead].flatMap((rpcRequest) => rpcRequest(header) ?? []);
  announcers.set(header.hash, withEarlyAnswers(announcer, rpcRequests));
  if (announcers.size > 2 * maxQueued) announcers.delete(announcers.keys().next().value as Hex);
  waiting.push(header);
  if (waiting.length > maxQueued) waiting.shift();
  wakeUp.resolve();
}

async function waitFor({ waiting, wakeUp }: Heard, milliseconds: number, until: AbortSignal): Promise<void> {
  if (waiting.length > 0) return;
  const over = Promise.withResolvers<void>();
  using _listening = addAbortListener(until, () => over.resolve());
  using _timer = setTimeout(over.resolve, milliseconds).unref();
  await Promise.race([wakeUp.promise, over.promise]);
}

function announcerOf(onAnnounced: Heard, hash: Hex): Announcer | undefined {
  if (isSuspect(onAnnounced)) return undefined;
  const announcer = onAnnounced.announcers.get(hash);
  if (announcer !== undefined) onAnnounced.announcers.set(hash, undefined);
  return announcer;
}

function isSuspect({ suspectedAt }: Heard): boolean {
  return performance.now() - suspectedAt < suspectMs;
}

/** A teller to which these questions were put already. */
function withEarlyAnswers(announcer: Announcer, rpcRequests: readonly RpcRequest[]): Announcer {
  if (rpcRequests.length === 0) return announcer;
  const answers = new Map(
    rpcRequests.map((rpcRequest) => [JSON.stringify(rpcRequest), announcer.request(rpcRequest)]),
  );
  // Whether anybody wants to know will show.
  for (const answer of answers.values()) answer.catch(() => undefined);
  return {
    request: (rpcRequest) => answers.get(JSON.stringify(rpcRequest)) ?? announcer.request(rpcRequest),
  };
}
