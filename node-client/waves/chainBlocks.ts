import type { ChainClient } from "@ngpu/chain-reader/client";
import { RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { BlockNotFoundError, type Hex } from "viem";

/** What a wave needs of a block: its hash, and when it came, in Unix milliseconds of this machine's clock. */
export type WaveBlock = { hash: Hex; at: number };

/** Milliseconds by which a block's time may differ from when it was seen. Beyond that one of the clocks is wrong. */
const clockTolerance = 5_000;

/** Milliseconds between two polls for a block that is not there yet. */
const interval = 250;

/**
 * Waits for a block of the chain.
 *
 * @param until Unix milliseconds, after which it is of no use.
 * @throws RetryableError `wave_block_missing`
 */
export async function awaitBlock(
  client: Pick<ChainClient, "getBlock">,
  number: number,
  { until, signal }: { until: number; signal: AbortSignal },
): Promise<WaveBlock> {
  let cause: unknown;
  let wasMissing = false;
  while (!signal.aborted && Date.now() < until) {
    try {
      const { hash, timestamp } = await client.getBlock({ blockNumber: BigInt(number) });
      if (hash !== null) return { hash, at: timeOf(Number(timestamp) * 1_000, wasMissing) };
    } catch (error) {
      wasMissing = error instanceof BlockNotFoundError;
      // An endpoint that does not answer is asked again, as one that has not got the block yet.
      if (!wasMissing) cause = error;
    }
    await rest(interval, signal);
  }
  throw new RetryableError(`Block ${number} did not come before the wave's end.`, {
    code: "wave_block_missing",
    hint: "Check the node's RPC endpoints: a wave needs its blocks within a second.",
    cause,
  });
}

/** A block that was missing a moment ago came now, whatever its own clock says. */
function timeOf(stated: number, wasMissing: boolean): number {
  const now = Date.now();
  return wasMissing && Math.abs(now - stated) > clockTolerance ? now : stated;
}
