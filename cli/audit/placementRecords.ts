import { auditAssignment } from "@ngpu/audit/assignmentAudit";
import { decisionTimes } from "@ngpu/audit/assignments";
import { offlineSeconds } from "@ngpu/audit/exclusionReasons";
import { othersPending } from "@ngpu/audit/placeBounds";
import { amount, type ChainLog } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { JudgedWave } from "@ngpu/waves/history";
import { type IsNew, type MarketHistory, type MarketRecord, recordOf } from "./record.ts";

/** Recomputes assignments. One whose exclusions may still get their reason is compared by a later call. */
export type PlacementAudit = (
  history: MarketHistory,
  waves: readonly JudgedWave[],
  isNew: IsNew,
) => AsyncGenerator<MarketRecord>;

export function createPlacementAudit(): PlacementAudit {
  const waiting = new Set<string>();
  return async function* placementRecords(history, waves, isNew) {
    const { logs, clock, deployment, upTo } = history;
    const now = await clock.timeOf(upTo);
    const { slotSeconds } = deployment.parameters;
    const isWanted = (log: ChainLog) =>
      log.name === "Assigned" && (isNew(log) || waiting.has(leaseKey(log.args)));
    for (const assigned of logs.filter(isWanted)) {
      const id = leaseKey(assigned.args);
      const record = await placementRecord(history, waves, assigned);
      const { excluded, ...others } = record.checks;
      // A node that was lost is marked as offline, or absent in a slot, later than the assignment that avoided it.
      const isEarly = now <= assigned.time + offlineSeconds + 2 * slotSeconds;
      if (isEarly && excluded === false && Object.values(others).every(Boolean)) {
        waiting.add(id);
        continue;
      }
      waiting.delete(id);
      yield record;
    }
  };
}

async function placementRecord(
  { logs, clock, deployment, upTo }: MarketHistory,
  waves: readonly JudgedWave[],
  assigned: ChainLog,
): Promise<MarketRecord> {
  const decidedAt = amount(assigned.args.decidedAt);
  const isKnown = decidedAt <= upTo && decidedAt > 0n;
  const audit = auditAssignment(logs, assigned, {
    decided: isKnown ? { number: decidedAt, ...(await clock.at(decidedAt)) } : undefined,
    assignedAt: assigned.time,
    timesOf: await decisionTimes([assigned, ...othersPending(logs, assigned)], upTo, clock),
    slotSeconds: deployment.parameters.slotSeconds,
    waves,
  });
  const found = { kind: "placement", id: leaseKey(assigned.args), block: assigned.block } as const;
  return recordOf({ ...found, checks: audit.checks }, () => {
    const best = audit.ranking.slice(0, 3).join(", ") || "none";
    const groundless = audit.excluded.flatMap(({ nodeId, reason }) => (reason === null ? [nodeId] : []));
    return [
      `The chain has node ${audit.nodeId} at ${audit.price}; best at block ${decidedAt}: ${best}.`,
      ...(groundless.length === 0 ? [] : [`Excluded without a reason: ${groundless.join(", ")}.`]),
    ].join(" ");
  });
}
