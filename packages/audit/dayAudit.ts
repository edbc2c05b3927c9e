import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { isUnderUptimeRoot, type UptimeLeaf, uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { uptimeLeaves } from "@ngpu/rewards/uptime";
import { dayFactsOfLogs } from "@ngpu/rewards/uptimeLogs";
import type { Hex } from "viem";
import type { BlockClock } from "./chainHistory.ts";

/** A day's uptime as the chain's logs lead to it, and the root that the chain has. */
export type AuditedDay = {
  day: bigint;
  slotSeconds: number;
  leaves: UptimeLeaf[];
  /** Null without a leaf. */
  tree: ReturnType<typeof uptimeTreeOf> | null;
  /** The last root that was posted for the day and not disabled, and its block. */
  posted: { root: Hex; block: bigint } | null;
  asOf: { block: bigint; hash: Hex };
};

type Parameters = Deployment["parameters"];

/** The time from which on the evidence of a day is complete, Unix seconds. */
export const settledAt = (day: bigint, { daySeconds, heartbeatWindowSeconds }: Parameters) =>
  (Number(day) + 1) * daySeconds + heartbeatWindowSeconds;

/**
 * Recomputes a day whose evidence is complete.
 *
 * @param logs Of `uptimeEvents` at least, in order.
 */
export async function auditDayOfLogs(
  logs: readonly ChainLog[],
  { day, clock, parameters }: { day: bigint; clock: BlockClock; parameters: Parameters },
): Promise<AuditedDay> {
  const { daySeconds, slotSeconds } = parameters;
  const asOf = await clock.lastBefore(settledAt(day, parameters));
  const facts = dayFactsOfLogs(logs, { day, upTo: asOf.block, periods: { daySeconds, slotSeconds } });
  const leaves = uptimeLeaves(facts);
  const tree = leaves.length === 0 ? null : uptimeTreeOf(leaves);
  return { day, slotSeconds, leaves, tree, posted: postedRoot(logs, day), asOf };
}

function postedRoot(logs: readonly ChainLog[], day: bigint): AuditedDay["posted"] {
  const last = logs.findLast(
    ({ name, args }) => (name === "UptimeCommitted" || name === "UptimeDisabled") && args.day === day,
  );
  if (last?.name !== "UptimeCommitted") return null;
  return { root: String(last.args.root).toLowerCase() as Hex, block: last.block };
}

/** A leaf as the logs lead to it, and as a false root states it. */
export type UptimeLie = { honest: UptimeLeaf; stated: UptimeLeaf };

/** Slots by which one leaf of a false root may differ for it to be found. */
const maxSlots = 60;
/** Leaves that are tried: of a large day the smaller differences alone. */
const maxTries = 50_000;

/** The leaf that a false root states otherwise, where it is the only one. */
export function falseLeaf({ leaves, tree, slotSeconds }: AuditedDay, posted: Hex): UptimeLie | undefined {
  if (tree === null) return undefined;
  const proofs = leaves.map((_, index) => tree.proofOf(index));
  let tries = 0;
  for (let step = 1; step <= maxSlots && tries < maxTries; step++) {
    for (const [index, honest] of leaves.entries()) {
      const changed = [step, -step].flatMap((slots) => changedBy(honest, slots, slotSeconds));
      tries += changed.length;
      const stated = changed.find((leaf) => isUnderUptimeRoot(posted, leaf, proofs[index] as Hex[]));
      if (stated !== undefined) return { honest, stated };
    }
  }
  return undefined;
}

function changedBy(leaf: UptimeLeaf, slots: number, slotSeconds: number): UptimeLeaf[] {
  if (leaf.kind === "node") {
    const presentSlots = leaf.presentSlots + slots;
    return presentSlots < 0 || presentSlots > leaf.totalSlots ? [] : [{ ...leaf, presentSlots }];
  }
  const downSeconds = leaf.downSeconds + slots * slotSeconds;
  return downSeconds < 0 ? [] : [{ ...leaf, downSeconds }];
}
