import type { Committed, Result } from "@ngpu/proof/record";
import { commitmentOf } from "@ngpu/proof/record";
import { type Refusal, verify } from "@ngpu/proof/verify";
import { concatHex, type Hex, keccak256, stringToHex, toHex } from "viem";
import { type ClaimedDevice, operationsLimitBy } from "./claims.ts";
import { sharesOf } from "./shares.ts";
import { type Batch, type Path, rootFrom } from "./tree.ts";
import type { DeviceRef, Shares } from "./types.ts";

/** A batch root that a block included in time. */
export type PostedRoot = { measurerId: number; root: Hex };

/** What shows a device's answer: where it is in batches, and the transcript that opens it. */
export type Evidence = DeviceRef & {
  result: Result;
  chase: { measurerId: number; path: Path };
  answers: { measurerId: number; path: Path };
};

/** The chain's part of a proof: hashes of the wave's blocks, and the times between them. */
export type WaveChain = {
  hashes: { fill: Hex; chase: Hex; work: Hex; audit: Hex };
  milliseconds: { chase: number; work: number };
  /** Roots of answers' batches that drawn measurers posted in time. */
  roots: Record<"chase" | "answers", readonly PostedRoot[]>;
};

export type EvidenceVerdict =
  | { accepted: true; shares: Shares; measurerIds: [number, number] }
  | { accepted: false; reason: Refusal | "not_committed"; message: string };

/** The hash of a chase: the leaf of the first batch that a measurer posts. */
export function chaseHashOf({ lanes, legs, root }: Committed): Hex {
  const label = stringToHex("ngpu proof 1 chase answer");
  return keccak256(concatHex([label, toHex(lanes, { size: 4 }), toHex(legs, { size: 4 }), root]));
}

/** Recomputes what a device proved in a wave, from the chain and a transcript alone. */
export function judgeEvidence(evidence: Evidence, claimed: ClaimedDevice, chain: WaveChain): EvidenceVerdict {
  const { nodeId, device, result } = evidence;
  const missing =
    notIn("chase", evidence, chaseHashOf(result.chase), chain) ??
    notIn("answers", evidence, commitmentOf(result), chain);
  if (missing !== undefined) return missing;
  const verdict = verify(result, {
    nodeId: BigInt(nodeId),
    device,
    bytes: claimed.figures.bytes,
    blocks: chain.hashes,
    milliseconds: chain.milliseconds,
    operationsLimit: operationsLimitBy(claimed),
  });
  if (!verdict.accepted) return verdict;
  const measurerIds: [number, number] = [evidence.chase.measurerId, evidence.answers.measurerId];
  return { accepted: true, shares: sharesOf(claimed.figures, verdict.proven), measurerIds };
}

function notIn(
  batch: Batch & ("chase" | "answers"),
  evidence: Evidence,
  value: Hex,
  chain: WaveChain,
): EvidenceVerdict | undefined {
  const { nodeId, device } = evidence;
  const { measurerId, path } = evidence[batch];
  const root = rootFrom(batch, { nodeId, device, value }, path);
  if (chain.roots[batch].some((posted) => posted.measurerId === measurerId && posted.root === root)) return;
  const message = `Measurer ${measurerId} posted no root in time that has the ${batch} of device ${device} of node ${nodeId}.`;
  return { accepted: false, reason: "not_committed", message };
}
