import { messageOf, RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { Address, Hex } from "viem";
import { type Backfill, readNextRange, startBackfill } from "./backfill.ts";
import { blocksByHash } from "./blocks.ts";
import { areLinked, type FollowStep, splitStep } from "./followSteps.ts";
import type { Header } from "./header.ts";
import { type BlockRef, reconcile, type Verdict } from "./reconcile.ts";
import { type ChainLog, logsRequest, type RpcClient, readHeader } from "./rpc.ts";

// How to use it:
//
//   for await (const step of follow({ client, addresses, from, cursor, signal, logger })) {
//     if (step.type === "reorg") await forgetAbove(step.ancestor);  // null: forget every block
//     else await store(step.blocks);                               // rows and cursor in one transaction
//   }
//
// Asking for the next step tells that the last one is stored. A consumer that throws, or is killed, starts `follow`
// anew: it goes on from what `cursor` gives. Blocks come without gaps in number and each one's parent is the one
// before it (with `headers: "logged"`, blocks far behind the head come only when they have logs, plus one at the end of each stretch).

/** What the consumer has stored. */
type Cursor = {
  /** The newest stored blocks, ascending; empty at the first start. A few hundred serve most reorgs. */
  recent(): Promise<BlockRef[]>;
  /** Stored blocks below a number, the newest of them, ascending. Left out: what is older is not known any more. */
  older?(below: bigint): Promise<BlockRef[]>;
};

export type FollowOptions = {
  client: RpcClient;
  addresses: readonly Address[];
  /** As eth_getLogs takes them; null or left out: any. */
  topics?: readonly (Hex | Hex[] | null)[];
  /** The first block. */
  from: bigint;
  cursor: Cursor;
  signal: AbortSignal;
  logger: Logger;
  /** Blocks to stay behind the endpoint's head. Default 0. */
  confirmations?: bigint;
  /**
   * `logged`: a long way is gone without the headers of blocks that have no logs, taking the endpoint at its word that
   * they have none. Default `all`, which compares each block's bloom.
   */
  headers?: "all" | "logged";
  /** Milliseconds between looks at the head. Default 300. */
  interval?: number;
  /** Milliseconds between looks while the client's hints are live. Default 2,000. */
  hintedInterval?: number;
  /** Most blocks in one step. Default 2,000. */
  maxRange?: bigint;
  /** Steps of a long way that are read while an earlier one is stored. Default 2; none without all headers. */
  ahead?: number;
  /** All logs of blocks that were proven otherwise, by the block's hash: they stand, whatever an endpoint says. */
  proven?: ReadonlyMap<Hex, readonly ChainLog[]>;
  /** Told of each fault by its code, and of the endpoint's head at each look. */
  onError?: (code: string) => void;
  onHead?: (head: Header) => void;
};

type State = {
  kept: BlockRef[];
  backfill: Backfill;
  /** Looks in a row that said the same about a chain shorter than ours. */
  shorterPolls: number;
};

// Below this distance to the head logs are asked by block hash, where an endpoint that lags cannot pass for an empty block.
const near = 32n;
// A chain that is shorter and other than ours may be an endpoint that was left behind on an old fork: look again.
const shorterPolls = 3;
const maxKept = 4_096;
const maxBackoff = 5_000;

/**
 * Follows the chain from the stored cursor until the signal is aborted.
 *
 * @throws FatalError when the endpoint cannot serve what is needed; passing faults are logged, counted and got over.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<FollowStep, void> {
  const { client, signal, interval = 300, hintedInterval = 2_000 } = options;
  const state: State = {
    kept: await options.cursor.recent(),
    backfill: startBackfill(options),
    shorterPolls: 0,
  };
  const stopEarlyRequests = requestEarly(options, state);
  let failures = 0;
  try {
    while (!signal.aborted) {
      let step: FollowStep | undefined;
      try {
        step = await poll(options, state);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        handleError(options, error, failures);
        await rest(Math.min(maxBackoff, interval * 2 ** Math.min(failures - 1, 10)), signal);
        continue;
      }
      for (const part of step === undefined ? [] : splitStep(step)) {
        yield part;
        remember(state, part);
        if (signal.aborted) return;
      }
      const hinted = client.hints?.live() === true;
      // Up to date: with hints there is nothing to look for until one comes.
      if (step === undefined || (hinted && reachesHead(step))) {
        if (client.hints === undefined) await rest(interval, signal);
        else await client.hints.wait(hinted ? hintedInterval : interval, signal);
      }
    }
  } finally {
    stopEarlyRequests?.();
  }
}

/** Has the logs of a block that goes on from our newest one asked for the moment it is announced. */
function requestEarly(options: FollowOptions, state: State): (() => void) | undefined {
  const { client, confirmations = 0n } = options;
  if (confirmations > 0n) return undefined;
  return client.hints?.requestEarly(({ hash, parentHash }) =>
    parentHash === state.kept.at(-1)?.hash ? logsRequest(options, { blockHash: hash }) : undefined,
  );
}

/** One look at the chain: what is to be stored next, or undefined when there is nothing. */
async function poll(options: FollowOptions, state: State): Promise<FollowStep | undefined> {
  const announced = chainAnnounced(options.client.hints?.take() ?? [], state.kept.at(-1));
  const head = await readHead(options, announced.at(-1));
  if (head === undefined || head.number < options.from) return undefined;
  const verdict = await settle(options, state, head, announced);
  if (verdict.type === "same" || verdict.type === "behind") {
    state.shorterPolls = 0;
    return undefined;
  }
  if (verdict.type !== "extend" && verdict.shorter && ++state.shorterPolls < shorterPolls) return undefined;
  state.shorterPolls = 0;
  if (verdict.type === "extend") return extend(options, state, verdict.tip, head, announced);
  if (verdict.type === "reorg") return { type: "reorg", ancestor: verdict.ancestor, depth: verdict.depth };
  const tip = state.kept.at(-1) ?? verdict.oldest;
  return { type: "reorg", ancestor: null, depth: tip.number - options.from + 1n };
}

/**
 * Of the headers that were announced those that go on from our newest block, one after the other, up to the last. None when they
 * do not: whether the chain was reorganized, or an endpoint tells of a fork that others left, is found out by asking.
 */
function chainAnnounced(announced: readonly Header[], tip: BlockRef | undefined): Header[] {
  const byHash = new Map(announced.map((header) => [header.hash, header]));
  const chain: Header[] = [];
  for (let next = announced.at(-1); next !== undefined; next = byHash.get(next.parentHash)) {
    chain.unshift(next);
    if (next.parentHash === tip?.hash) return chain;
  }
  return [];
}

async function readHead(options: FollowOptions, announced: Header | undefined): Promise<Header | undefined> {
  const latest = announced ?? (await readHeader(options.client, "latest"));
  options.onHead?.(latest);
  const { confirmations = 0n } = options;
  if (confirmations === 0n) return latest;
  return latest.number < confirmations
    ? undefined
    : readHeader(options.client, latest.number - confirmations);
}

/** Asks the endpoint, and the cursor for older blocks, until it is known how our chain and the endpoint's meet. */
async function settle(
  options: FollowOptions,
  state: State,
  head: Header,
  announced: readonly Header[],
): Promise<Exclude<Verdict, { type: "ask" }>> {
  const answers = new Map<bigint, Hex>(
    [...announced, head].map(({ number, parentHash }) => [number - 1n, parentHash]),
  );
  for (;;) {
    const verdict = reconcile({ kept: state.kept, head, answers });
    if (verdict.type === "ask") {
      const header = await readHeader(options.client, verdict.number);
      answers.set(verdict.number, header.hash);
      continue;
    }
    if (verdict.type !== "deeper") return verdict;
    const older = (await options.cursor.older?.(verdict.oldest.number)) ?? [];
    if (older.length === 0) return verdict;
    state.kept = [...older, ...state.kept];
  }
}

async function extend(
  options: FollowOptions,
  state: State,
  tip: BlockRef | null,
  head: Header,
  announced: readonly Header[],
): Promise<FollowStep | undefined> {
  const first = tip === null ? options.from : tip.number + 1n;
  const distance = head.number - first;
  const blocks =
    distance < near
      ? await blocksByHash(options, first, head, announced)
      : await readNextRange(options, state.backfill, { tip, first, last: head.number - near });
  // The chain changed between two questions: the next look finds out how.
  if (!areLinked(tip, blocks, options.headers === "logged")) {
    state.backfill.ahead = [];
    throw new RetryableError("The endpoint's blocks do not follow each other.", { code: "rpc_unlinked" });
  }
  return { type: "blocks", blocks, head: { number: head.number, hash: head.hash } };
}

function reachesHead(step: FollowStep): boolean {
  return step.type === "blocks" && step.blocks.at(-1)?.number === step.head.number;
}

function remember(state: State, step: FollowStep): void {
  if (step.type === "blocks") {
    state.kept.push(...step.blocks.map(({ number, hash }) => ({ number, hash })));
    if (state.kept.length > 2 * maxKept) state.kept = state.kept.slice(-maxKept);
    return;
  }
  const { ancestor } = step;
  state.backfill.ahead = [];
  state.kept = ancestor === null ? [] : state.kept.filter((block) => block.number <= ancestor.number);
}

/** Faults of the endpoint are got over; anything else, such as one of the consumer's cursor, is not ours. */
function handleError(options: FollowOptions, error: unknown, failures: number): void {
  if (!(error instanceof RetryableError)) throw error;
  const { code, cause } = error;
  options.onError?.(code);
  options.logger.warn({ event: "chain_error", code, reason: messageOf(cause ?? error), failures });
}
