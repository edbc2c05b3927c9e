import { z } from "zod";
import { auditOpened } from "./audit.ts";
import { isHeld, type Proven, provenOf } from "./proven.ts";
import { type Claim, type Committed, type Result, resultSchema } from "./record.ts";
import { auditSeedOf } from "./seeds.ts";
import { type Kind, type Layout, layoutOf, limits, mostLanes } from "./terms.ts";
import { decodeTranscript, seedOfTranscript, transcriptBytes } from "./transcript.ts";

/** Why a proof is refused. docs/proof.md explains each. */
export type Refusal =
  | "claim_size"
  | "claim_invalid"
  | "answer_invalid"
  | "transcript_invalid"
  | "other_challenge"
  | "transcript_length"
  | "leaf_not_committed"
  | "leg_not_continued"
  | "segment_wrong"
  | "memory_unproven";

export type Refused = { accepted: false; reason: Refusal; message: string };
export type Verdict = { accepted: true; proven: Proven } | Refused;

/**
 * Verifies an answer from chain data and its transcript alone. Its cost does not depend on the claimed size: an audit
 * recomputes the same number of segments for each. Never throws for what a node sends.
 */
export function verify(result: Result, claim: Claim): Verdict {
  const layout = layoutOf(claim.bytes);
  if (layout === undefined) {
    const { least, most } = limits.bytes;
    return refused("claim_size", `The claim is of ${claim.bytes} bytes. It may be of ${least} to ${most}.`);
  }
  return (
    refuseClaim(claim) ??
    refuseAnswer(result, layout) ??
    refuseTranscript(result, claim) ??
    refuseAudit(result, claim, layout) ??
    judge(result, claim, layout)
  );
}

function refuseClaim({ nodeId, device, blocks, milliseconds, operationsLimit }: Claim): Refused | undefined {
  const isId = nodeId >= 0n && nodeId < 2n ** 64n && isIn(device, { least: 0, most: 2 ** 32 - 1 });
  if (!isId)
    return refused("claim_invalid", `Node ${nodeId} and device ${device} do not fit 64 and 32 bits.`);
  const unhashed = Object.values(blocks).find((hash) => !/^0x[0-9a-f]{64}$/i.test(hash));
  if (unhashed !== undefined)
    return refused("claim_invalid", `${JSON.stringify(unhashed)} is not a block hash.`);
  const times = [milliseconds.chase, milliseconds.work];
  if (!times.every((time) => isIn(time, limits.milliseconds)) || operationsLimit < 1n)
    return refused("claim_invalid", "The claim has no time, or no limit of operations.");
  return undefined;
}

function refuseAnswer(result: Result, layout: Layout): Refused | undefined {
  const { error } = resultSchema.safeParse(result);
  if (error !== undefined) return refused("answer_invalid", `This is no answer: ${z.prettifyError(error)}`);
  const most = { chase: mostLanes(layout), work: limits.lanes.most };
  const check = (kind: Kind, { lanes, legs }: Committed) => {
    const isShaped =
      isIn(lanes, { least: limits.lanes.least, most: most[kind] }) &&
      Number.isInteger(Math.log2(lanes)) &&
      isIn(legs, limits.legs);
    const text = `The ${kind} has ${lanes} lanes and ${legs} legs. Lanes are a power of two up to ${most[kind]}.`;
    return isShaped ? undefined : refused("answer_invalid", text);
  };
  return check("chase", result.chase) ?? check("work", result.work);
}

function refuseTranscript(result: Result, claim: Claim): Refused | undefined {
  const seed = auditSeedOf(claim, result);
  const given = seedOfTranscript(result.transcript);
  if (given === undefined) return refused("transcript_invalid", "This is no transcript of version 1.");
  if (given !== seed)
    return refused("other_challenge", `The transcript answers ${given}. This node's challenge is ${seed}.`);
  const expected = transcriptBytes(result, seed);
  const { length } = result.transcript;
  if (length === expected) return undefined;
  return refused(
    "transcript_length",
    `The transcript has ${length} bytes, and the audit asks for ${expected}.`,
  );
}

function refuseAudit(result: Result, claim: Claim, layout: Layout): Refused | undefined {
  const seed = auditSeedOf(claim, result);
  const found = auditOpened({
    answer: result,
    opened: decodeTranscript(result.transcript, result, seed),
    auditSeed: seed,
    claim,
    layout,
  });
  return found === undefined ? undefined : refused(found.reason, found.message);
}

function judge(answer: Result, claim: Claim, layout: Layout): Verdict {
  const proven = provenOf({ ...claim, layout, answer });
  if (isHeld(claim.bytes, proven.bytes)) return { accepted: true, proven };
  const text = `Hardware of this kind can make up so many of these reads that ${proven.bytes} bytes are proven.`;
  return refused("memory_unproven", `${text} ${claim.bytes} are claimed.`);
}

function refused(reason: Refusal, message: string): Refused {
  return { accepted: false, reason, message };
}

function isIn(value: number, { least, most }: { least: number; most: number }): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
