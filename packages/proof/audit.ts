import { bytesToHex, type Hex } from "viem";
import { drawsOf } from "./draws.ts";
import type { Claim, Committed } from "./record.ts";
import { seedsOf } from "./seeds.ts";
import { chaseSegment, type Memory, type Position, workSegment } from "./segments.ts";
import type { Kind, Layout } from "./terms.ts";
import type { Opened, OpenedLeg } from "./transcript.ts";
import { chainOf, leafOf, rootFrom } from "./tree.ts";
import { keyOf } from "./words.ts";

type AuditFailure = { reason: "leaf_not_committed" | "leg_not_continued" | "segment_wrong"; message: string };

type Audit = {
  answer: Record<Kind, Committed>;
  opened: Opened;
  auditSeed: Hex;
  claim: Claim;
  layout: Layout;
};

/** The first error in what an audit opened, undefined without one. The cheap checks of all legs are first. */
export function auditOpened({ answer, opened, auditSeed, claim, layout }: Audit): AuditFailure | undefined {
  const seeds = seedsOf(claim);
  const memory: Memory = { layout, key: keyOf(seeds.fill) };
  const legs = (["chase", "work"] as const).flatMap((kind) =>
    drawsOf(kind, auditSeed, answer[kind]).map((position, index) => ({
      kind,
      position,
      leg: opened[kind][index] as OpenedLeg,
    })),
  );
  for (const { kind, position, leg } of legs) {
    const failure = checkPlace(kind, answer[kind], position, leg);
    if (failure !== undefined) return failure;
  }
  const keys = { chase: keyOf(seeds.chase), work: keyOf(seeds.work) };
  for (const { kind, position, leg } of legs) {
    const before = leg.states[position.segment] as Int32Array;
    const after =
      kind === "chase"
        ? chaseSegment(before, keys.chase, position, memory)
        : workSegment(before, keys.work, position);
    if (!isSame(after, leg.states[position.segment + 1] as Int32Array))
      return { reason: "segment_wrong", message: `${at(kind, position)} ends with another state.` };
  }
  return undefined;
}

/** Whether a leg is under the root, and begins where the lane's leg before ended. The first one begins with zeros. */
function checkPlace(
  kind: Kind,
  { lanes, root }: Committed,
  position: Position,
  { states, path, before }: OpenedLeg,
): AuditFailure | undefined {
  const index = position.leg * lanes + position.lane;
  const leaf = leafOf(chainOf(states.slice(0, -1)), states.at(-1) as Int32Array);
  const isUnder = (node: Uint8Array, place: number, siblings: readonly Uint8Array[]) =>
    bytesToHex(rootFrom(node, place, siblings)) === root;
  if (!isUnder(leaf, index, path))
    return { reason: "leaf_not_committed", message: `${at(kind, position)} is not under the root.` };
  const first = states[0] as Int32Array;
  const continues =
    before === undefined
      ? first.every((word) => word === 0)
      : isUnder(leafOf(before.chain, first), index - lanes, before.path);
  if (continues) return undefined;
  return {
    reason: "leg_not_continued",
    message: `${at(kind, position)} does not begin where the leg before ended.`,
  };
}

function at(kind: Kind, { lane, leg, segment }: Position): string {
  return `Segment ${segment} of leg ${leg} of lane ${lane} of the ${kind}`;
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.every((word, index) => word === b[index]);
}
