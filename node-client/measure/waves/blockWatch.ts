import type { ChainClient } from "@ngpu/chain-reader/client";
import { RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import type { WaveChain } from "@ngpu/waves/evidence";
import type { WaveBlocks } from "@ngpu/waves/schedule";

/** Milliseconds between two polls of the newest block. */
const interval = 250;
/** Milliseconds that a message needs from here into a block. */
const wayMs = 2_000;

export type BlockWatch = {
  /** Resolves once the chain has a block, or the signal is aborted. */
  reached: (block: number) => Promise<void>;
  /** Resolves when what is sent now is just in time for a block: one block before, or more where blocks are short. */
  closing: (last: number) => Promise<void>;
};

/** The newest block of the chain, by which a wave's parts end. Its pace is what this machine sees of it. */
export function createBlockWatch(client: ChainClient, signal: AbortSignal): BlockWatch {
  let first: { number: number; at: number } | undefined;
  let last: { number: number; at: number } | undefined;

  let looking: Promise<number | undefined> | undefined;

  const readNewest = async () => {
    const number = Number(await client.getBlockNumber({ cacheTime: 0 }));
    const now = { number, at: performance.now() };
    // Counted from a change, so that the pace is between two blocks and not within one.
    if (last !== undefined && first === undefined && number > last.number) first = now;
    if (last === undefined || number > last.number) last = now;
    return number;
  };
  /** One request for all that wait. An endpoint that does not answer is asked again. */
  const poll = () => {
    looking ??= readNewest()
      .catch(() => undefined)
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  const paceMs = () => {
    const blocks = first === undefined || last === undefined ? 0 : last.number - first.number;
    return blocks < 2 || first === undefined || last === undefined ? wayMs : (last.at - first.at) / blocks;
  };
  const until = async (isDone: (number: number) => boolean) => {
    while (!signal.aborted) {
      const number = await poll();
      if (number !== undefined && isDone(number)) return;
      await rest(interval, signal);
    }
  };
  return {
    reached: (block) => until((number) => number >= block),
    closing: (block) => until((number) => number >= block - Math.max(1, Math.ceil(wayMs / paceMs()))),
  };
}

/** Hashes and times of a wave's blocks. @throws RetryableError `wave_block_missing` */
export async function waveChainOf(
  client: Pick<ChainClient, "getBlock">,
  blocks: WaveBlocks,
): Promise<Omit<WaveChain, "roots">> {
  const headerOf = async (number: number) => {
    const { hash, timestamp } = await client.getBlock({ blockNumber: BigInt(number) });
    if (hash !== null) return { hash, time: Number(timestamp) };
    throw new RetryableError(`The endpoint has no block ${number}.`, {
      code: "wave_block_missing",
      hint: "Check the measurer's RPC endpoints: a wave needs its blocks within a second.",
    });
  };
  const [fill, chase, work, answered, audit] = await Promise.all([
    headerOf(blocks.fill),
    headerOf(blocks.chase),
    headerOf(blocks.work),
    headerOf(blocks.answered),
    headerOf(blocks.audit),
  ]);
  return {
    hashes: { fill: fill.hash, chase: chase.hash, work: work.hash, audit: audit.hash },
    milliseconds: { chase: (work.time - chase.time) * 1_000, work: (answered.time - work.time) * 1_000 },
  };
}
