import { RetryableError } from "@ngpu/runtime/errors";
import type { Address, Hex } from "viem";
import { type Backfill, readNextRange } from "./backfill.ts";
import { blocksByHash } from "./blocks.ts";
import { areLinked, type FollowStep } from "./followSteps.ts";
import type { Header } from "./header.ts";
import { type BlockRef, reconcile, type Verdict } from "./reconcile.ts";
import { requireSameChain } from "./requireSameChain.ts";
import { type ChainLog, type RpcClient, readHeader } from "./rpc.ts";

/** The blocks that the consumer has stored. */
type Cursor = {
  /** The newest stored blocks, ascending; empty at the first start. A few hundred blocks cover most reorgs. */
  recent(): Promise<BlockRef[]>;
  /** The newest stored blocks below a number, ascending. Optional; by default older blocks are unknown. */
  older?(below: bigint): Promise<BlockRef[]>;
};

export type PollOptions = {
  client: RpcClient;
  addresses: readonly Address[];
  /** Topics as in eth_getLogs. Null, or no entry: any. */
  topics?: readonly (Hex | Hex[] | null)[];
  /** The first block. */
  from: bigint;
  cursor: Cursor;
  /** Blocks to stay behind the endpoint's head. Default 0. */
  confirmations?: bigint;
  /**
   * `logged`: far behind the head, headers of blocks without logs are not read. The endpoint is trusted that these
   * blocks have no logs. Default `all`, which verifies the bloom filter of each block.
   */
  headers?: "all" | "logged";
  /** Maximum number of blocks in one step. Default 2,000. */
  maxRange?: bigint;
  /** Ranges to read ahead while a previous one is stored. Default 2; always 0 with `headers: "logged"`. */
  ahead?: number;
  /** All logs of blocks that are proven in another way, by block hash. They take precedence over any response. */
  proven?: ReadonlyMap<Hex, readonly ChainLog[]>;
  /** Called with the code of each transient error. */
  onError?: (code: string) => void;
  /** Called with the endpoint's head at each poll. */
  onHead?: (head: Header) => void;
};

/** The state of a follower between polls. */
export type FollowState = {
  /** The newest stored blocks, ascending. */
  kept: BlockRef[];
  backfill: Backfill;
  /** Consecutive polls that found a reorg to a chain shorter than the stored one. */
  shorterPolls: number;
};

// Within this distance of the head, logs are requested by block hash: a lagging endpoint cannot return an empty list.
const nearHead = 32n;
// A different and shorter chain may come from an endpoint that stayed on an old fork. Accept it after this many polls.
const minShorterPolls = 3;

/** Polls the chain once. Returns the next step to store, or undefined if there is none. */
export async function poll(options: PollOptions, state: FollowState): Promise<FollowStep | undefined> {
  const announced = announcedChain(options.client.hints?.take() ?? [], state.kept.at(-1));
  const head = await readHead(options, announced.at(-1));
  if (head === undefined || head.number < options.from) return undefined;
  const verdict = await compareWithHead(options, state, head, announced);
  if (verdict.type === "same" || verdict.type === "behind") {
    state.shorterPolls = 0;
    return undefined;
  }
  if (verdict.type !== "extend") await requireSameChain(options.client);
  if (verdict.type !== "extend" && verdict.shorter && ++state.shorterPolls < minShorterPolls)
    return undefined;
  state.shorterPolls = 0;
  if (verdict.type === "extend") return extend(options, state, verdict.tip, head, announced);
  if (verdict.type === "reorg") return { type: "reorg", ancestor: verdict.ancestor, depth: verdict.depth };
  const tip = state.kept.at(-1) ?? verdict.oldest;
  return { type: "reorg", ancestor: null, depth: tip.number - options.from + 1n };
}

/**
 * The announced headers that extend `tip` without a gap, up to the last one announced. Empty if they do not: a poll
 * then determines whether the chain was reorganized or an endpoint announced a stale fork.
 */
function announcedChain(announced: readonly Header[], tip: BlockRef | undefined): Header[] {
  const byHash = new Map(announced.map((header) => [header.hash, header]));
  const chain: Header[] = [];
  for (let next = announced.at(-1); next !== undefined; next = byHash.get(next.parentHash)) {
    chain.unshift(next);
    if (next.parentHash === tip?.hash) return chain;
  }
  return [];
}

async function readHead(options: PollOptions, announced: Header | undefined): Promise<Header | undefined> {
  const latest = announced ?? (await readHeader(options.client, "latest"));
  options.onHead?.(latest);
  const { confirmations = 0n } = options;
  if (confirmations === 0n) return latest;
  return latest.number < confirmations
    ? undefined
    : readHeader(options.client, latest.number - confirmations);
}

/** Reads hashes from the endpoint, and older blocks from the cursor, until the relation of both chains is known. */
async function compareWithHead(
  options: PollOptions,
  state: FollowState,
  head: Header,
  announced: readonly Header[],
): Promise<Exclude<Verdict, { type: "readHash" }>> {
  const hashes = new Map<bigint, Hex>(
    [...announced, head].map(({ number, parentHash }) => [number - 1n, parentHash]),
  );
  for (;;) {
    const verdict = reconcile({ kept: state.kept, head, hashes });
    if (verdict.type === "readHash") {
      const header = await readHeader(options.client, verdict.number);
      hashes.set(verdict.number, header.hash);
      continue;
    }
    if (verdict.type !== "deeper") return verdict;
    const older = (await options.cursor.older?.(verdict.oldest.number)) ?? [];
    if (older.length === 0) return verdict;
    state.kept = [...older, ...state.kept];
  }
}

async function extend(
  options: PollOptions,
  state: FollowState,
  tip: BlockRef | null,
  head: Header,
  announced: readonly Header[],
): Promise<FollowStep | undefined> {
  const first = tip === null ? options.from : tip.number + 1n;
  const distance = head.number - first;
  const blocks =
    distance < nearHead
      ? await blocksByHash(options, first, head, announced)
      : await readNextRange(options, state.backfill, { tip, first, last: head.number - nearHead });
  // The chain changed between two requests. The next poll determines how.
  if (!areLinked(tip, blocks, options.headers === "logged")) {
    state.backfill.ahead = [];
    throw new RetryableError("The endpoint returned blocks that are not linked by parent hash.", {
      code: "rpc_blocks_unlinked",
      hint: "Wait: the blocks are read again. If it recurs, use an endpoint whose servers agree.",
    });
  }
  return { type: "blocks", blocks, head: { number: head.number, hash: head.hash } };
}
