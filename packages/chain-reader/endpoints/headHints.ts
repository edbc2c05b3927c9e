import { addAbortListener } from "node:events";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { Hex } from "viem";
import type { Header } from "../header.ts";
import { type HeadSocketOptions, type Question, subscribeToHeads, type Teller } from "./headSocket.ts";

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
  tellerOf: (hash: Hex) => Teller | undefined;
  /**
   * Asks whoever announces a block this about it at once (undefined: nothing), so that a teller that is asked the same has the
   * answer under way. @returns a way to end that
   */
  askAhead: (question: (header: Header) => Question | undefined) => () => void;
  /** Some endpoint left logs out: for a while only those that are scored are asked. */
  doubt: () => void;
  /** Whether any endpoint has a subscription that is alive. */
  live: () => boolean;
};

export type HeadHintsOptions = Pick<HeadSocketOptions, "chainId" | "signal" | "silence"> & {
  /** WebSocket URLs; all are listened to, the first to tell counts. */
  urls: readonly string[];
  logger: Logger;
  /** Milliseconds before the first try to connect anew; they double up to 30 s. Default 500. */
  retry?: number;
};

// A consumer that is busy for longer reads what it missed itself.
const mostWaiting = 256;
const longestRetry = 30_000;
const doubtful = 600_000;

/** What was announced, and what is to be asked of whoever announces. */
type Heard = {
  waiting: Header[];
  bell: PromiseWithResolvers<void>;
  /** By the hashes of blocks announced, the last ones; none once it was given. */
  tellers: Map<Hex, Teller | undefined>;
  ahead: Set<(header: Header) => Question | undefined>;
  doubtedAt: number;
  /** URLs of endpoints whose subscription is alive. */
  alive: Set<string>;
};

/** Subscribes to the heads of all endpoints, and again whenever a connection breaks, until the signal is aborted. */
export function listenForHeads(options: HeadHintsOptions): HeadHints {
  const heard: Heard = {
    waiting: [],
    bell: Promise.withResolvers(),
    tellers: new Map(),
    ahead: new Set(),
    doubtedAt: Number.NEGATIVE_INFINITY,
    alive: new Set(),
  };
  for (const url of options.urls) void listen(heard, url, options);
  return {
    take: () => {
      const headers = heard.waiting;
      heard.waiting = [];
      heard.bell = Promise.withResolvers();
      return headers;
    },
    wait: (milliseconds, until) => waitFor(heard, milliseconds, until),
    doubt: () => {
      heard.doubtedAt = performance.now();
    },
    tellerOf: (hash) => tellerOf(heard, hash),
    askAhead: (question) => {
      heard.ahead.add(question);
      return () => heard.ahead.delete(question);
    },
    live: () => heard.alive.size > 0,
  };
}

async function listen(heard: Heard, url: string, options: HeadHintsOptions): Promise<void> {
  const { logger, signal, retry = 500 } = options;
  let faults = 0;
  while (!signal.aborted) {
    const reason = await subscribeToHeads(url, {
      ...options,
      onHead: (header, teller) => hear(heard, header, teller),
      onLive: () => {
        faults = 0;
        heard.alive.add(url);
      },
    });
    heard.alive.delete(url);
    if (signal.aborted) return;
    faults += 1;
    // Many endpoints have no subscriptions: that is told once, not at each try.
    const level = faults === 1 ? "info" : "debug";
    logger[level]({ event: "heads_unsubscribed", endpoint: new URL(url).host, reason });
    await rest(Math.min(longestRetry, retry * 2 ** Math.min(faults - 1, 10)), signal);
  }
}

function hear(heard: Heard, header: Header, teller: Teller): void {
  const { tellers, ahead, waiting, bell } = heard;
  if (tellers.has(header.hash)) return;
  const questions = isDoubtful(heard) ? [] : [...ahead].flatMap((question) => question(header) ?? []);
  tellers.set(header.hash, askedAhead(teller, questions));
  if (tellers.size > 2 * mostWaiting) tellers.delete(tellers.keys().next().value as Hex);
  waiting.push(header);
  if (waiting.length > mostWaiting) waiting.shift();
  bell.resolve();
}

async function waitFor({ waiting, bell }: Heard, milliseconds: number, until: AbortSignal): Promise<void> {
  if (waiting.length > 0) return;
  const over = Promise.withResolvers<void>();
  using _listening = addAbortListener(until, () => over.resolve());
  using _timer = setTimeout(over.resolve, milliseconds).unref();
  await Promise.race([bell.promise, over.promise]);
}

function tellerOf(heard: Heard, hash: Hex): Teller | undefined {
  if (isDoubtful(heard)) return undefined;
  const teller = heard.tellers.get(hash);
  if (teller !== undefined) heard.tellers.set(hash, undefined);
  return teller;
}

function isDoubtful({ doubtedAt }: Heard): boolean {
  return performance.now() - doubtedAt < doubtful;
}

/** A teller to which these questions were put already. */
function askedAhead(teller: Teller, questions: readonly Question[]): Teller {
  if (questions.length === 0) return teller;
  const answers = new Map(questions.map((question) => [JSON.stringify(question), teller.request(question)]));
  // Whether anybody wants to know will show.
  for (const answer of answers.values()) answer.catch(() => undefined);
  return { request: (question) => answers.get(JSON.stringify(question)) ?? teller.request(question) };
}
