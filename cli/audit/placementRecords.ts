import { auditAssignment } from "@ngpu/audit/assignmentAudit";
import { createAssignmentLogs } from "@ngpu/audit/assignmentLogs";
import { decisionTimes } from "@ngpu/audit/assignments";
import { offlineSeconds } from "@ngpu/audit/exclusionReasons";
import { createFleetFollower, type FleetFollower } from "@ngpu/audit/fleetFollower";
import { othersPending } from "@ngpu/audit/placeBounds";
import type { FleetBlock, FleetNode } from "@ngpu/placement/fleet";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { JudgedWave } from "@ngpu/waves/history";
import { type IsNew, type MarketHistory, type MarketRecord, recordOf } from "./record.ts";

/** Recomputes assignments. One whose exclusions may still get their reason is compared by a later call. */
export type PlacementAudit = (
  history: MarketHistory,
  waves: readonly JudgedWave[],
  isNew: IsNew,
) => AsyncGenerator<MarketRecord>;

type Assignment = {
  assigned: ChainLog;
  /** The block that it names; undefined where the chain has none with this number. */
  decided: FleetBlock | undefined;
};

/** The first call takes all logs of a history, each further one those that were added to it. */
export function createPlacementAudit(): PlacementAudit {
  const waiting = new Set<string>();
  const index = createAssignmentLogs();
  let indexed = 0;
  return async function* placementRecords(history, waves, isNew) {
    const { logs, clock, deployment, upTo } = history;
    const { slotSeconds } = deployment.parameters;
    for (; indexed < logs.length; indexed++) index.take(logs[indexed] as ChainLog);
    const now = await clock.timeOf(upTo);
    const isWanted = ({ name, args, block }: ChainLog) =>
      name === "Assigned" && (isNew({ block }) || waiting.has(leaseKey(args)));
    const fleetAt = createFleets(logs, waves);
    for (const { assigned, decided } of await inOrderOfDecision(history, logs.filter(isWanted))) {
      const own = index.of(assigned, decided?.time ?? 0, slotSeconds);
      const audit = auditAssignment(own, assigned, {
        decided,
        assignedAt: assigned.time,
        timesOf: await decisionTimes([assigned, ...othersPending(own, assigned)], upTo, clock),
        slotSeconds,
        nodes: decided === undefined ? [] : fleetAt(decided),
        priceNow: index.priceBefore(number(assigned.args.nodeId), assigned),
      });
      const id = leaseKey(assigned.args);
      const { excluded, ...others } = audit.checks;
      // A node that was lost is marked as offline, or absent in a slot, later than the assignment that avoided it.
      const isEarly = now <= assigned.time + offlineSeconds + 2 * slotSeconds;
      if (isEarly && !excluded && Object.values(others).every(Boolean)) {
        waiting.add(id);
        continue;
      }
      waiting.delete(id);
      yield recordOf({ kind: "placement", id, block: assigned.block, checks: audit.checks }, () =>
        detailOf(audit),
      );
    }
  };
}

function detailOf({
  nodeId,
  price,
  decidedAt,
  ranking,
  excluded,
}: ReturnType<typeof auditAssignment>): string {
  const best = ranking.slice(0, 3).join(", ") || "none";
  const groundless = excluded.flatMap((one) => (one.reason === null ? [one.nodeId] : []));
  return [
    `The chain has node ${nodeId} at ${price}; best at block ${decidedAt}: ${best}.`,
    ...(groundless.length === 0 ? [] : [`Excluded without a reason: ${groundless.join(", ")}.`]),
  ].join(" ");
}

/** So that the nodes are followed once for all of them. */
async function inOrderOfDecision(
  { clock, upTo }: MarketHistory,
  assignments: readonly ChainLog[],
): Promise<Assignment[]> {
  const named = await Promise.all(
    assignments.map(async (assigned): Promise<Assignment> => {
      const decidedAt = amount(assigned.args.decidedAt);
      if (decidedAt === 0n || decidedAt > upTo) return { assigned, decided: undefined };
      return { assigned, decided: { number: decidedAt, ...(await clock.at(decidedAt)) } };
    }),
  );
  const block = ({ decided }: Assignment) => decided?.number ?? 0n;
  return named.sort((a, b) => (block(a) < block(b) ? -1 : block(a) > block(b) ? 1 : 0));
}

/** The nodes at blocks that never fall. */
function createFleets(
  logs: readonly ChainLog[],
  waves: readonly JudgedWave[],
): (block: FleetBlock) => FleetNode[] {
  const follower: FleetFollower = createFleetFollower(waves);
  let next = 0;
  return (block) => {
    for (let log = logs[next]; log !== undefined && log.block <= block.number; log = logs[next]) {
      follower.take(log);
      next += 1;
    }
    return follower.at(block);
  };
}
