import type { Prover } from "@ngpu/proof/prover";
import type { Claim, Committed } from "@ngpu/proof/record";
import { auditSeedOf, seedsOf } from "@ngpu/proof/seeds";
import type { WaveOrder, WavePartName } from "@ngpu/protocol/waves";
import { RetryableError } from "@ngpu/runtime/errors";
import { zeroHash } from "viem";
import type { WaveBlock } from "./chainBlocks.ts";

export type AnswerDependencies = {
  prover: Pick<Prover, "fill" | "run" | "transcript">;
  /** A block of the chain, once it is there. */
  blockAt: (number: number) => Promise<WaveBlock>;
  /** Hands a part of the answer to the measurers. */
  publish: (part: WavePartName, body: Uint8Array) => Promise<void>;
  /** Unix milliseconds. */
  now: () => number;
};

/**
 * Time before the last block of a part at which an answer leaves: measurers close their batches one block before, and the
 * message needs its way.
 */
export const guardMs = 4_000;
/** Least time of a part that can be of use: one leg of a slow device. */
const leastMs = 250;

/** Proves one device in a wave: each part begins with its block, and ends so that its root is included in time. */
export async function answerDevice(
  { prover, blockAt, publish, now }: AnswerDependencies,
  order: Pick<WaveOrder, "nodeId" | "blocks" | "milliseconds">,
  { device, bytes }: { device: number; bytes: bigint },
): Promise<void> {
  const { blocks, milliseconds } = order;
  // Those that have not come yet give seeds that are not used.
  const hashes: Claim["blocks"] = { fill: zeroHash, chase: zeroHash, work: zeroHash, audit: zeroHash };
  const claim = { nodeId: BigInt(order.nodeId), device, blocks: hashes };
  const left = ({ at }: WaveBlock, whole: number, part: string) => {
    // A clock before the block's is wrong: no block comes before its time.
    const rest = whole - Math.max(0, now() - at) - guardMs;
    if (rest >= leastMs) return rest;
    throw tooLate(part, whole);
  };
  hashes.fill = (await blockAt(blocks.fill)).hash;
  await prover.fill({ seed: seedsOf(claim).fill, bytes });
  const chaseBlock = await blockAt(blocks.chase);
  hashes.chase = chaseBlock.hash;
  const chase = committedOf(
    await prover.run("chase", {
      seed: seedsOf(claim).chase,
      milliseconds: left(chaseBlock, milliseconds.chase, "chase"),
    }),
  );
  await publish("chase", json(chase));
  const workBlock = await blockAt(blocks.work);
  hashes.work = workBlock.hash;
  const work = committedOf(
    await prover.run("work", {
      seed: seedsOf(claim).work,
      milliseconds: left(workBlock, milliseconds.work, "work"),
    }),
  );
  await publish("answer", json({ chase, work }));
  hashes.audit = (await blockAt(blocks.audit)).hash;
  await publish("transcript", await prover.transcript(auditSeedOf(claim, { chase, work })));
}

function committedOf({ lanes, legs, root }: Committed): Committed {
  return { lanes, legs, root };
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function tooLate(part: string, whole: number) {
  return new RetryableError(`The ${part} of the wave has ${whole} ms, and too little of it is left.`, {
    code: "wave_part_late",
    hint: "Check the machine's clock, and that the fill of what the node claims ends before the chase begins.",
  });
}
