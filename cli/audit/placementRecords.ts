import { auditAssignment } from "@ngpu/audit/assignmentAudit";
import { type AssignmentLogs, createAssignmentLogs } from "@ngpu/audit/assignmentLogs";
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

/** An assignment to compare. */
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
    const { logs } = history;
    for (; indexed < logs.length; indexed++) index.take(logs[indexed] as ChainLog);
    const isWanted = ({ name, args, block }: ChainLog) =>
      name === "Assigned" && (isNew({ block }) || waiting.has(leaseKey(args)));
    const judge = createPlacementJudge({ history, waves, index });
    for (const assignment of await inOrderOfDecision(history, logs.filter(isWanted))) {
      const id = leaseKey(assignment.assigned.args);
      const { record, isEarly } = await judge(assignment);
      if (isEarly) waiting.add(id);
      else waiting.delete(id);
      if (!isEarly) yield record;
    }
  };
}

/** A compared assignment. Early: its exclusions may still get their reason. */
type JudgedPlacement = { record: MarketRecord; isEarly: boolean };

/**
 * Compares assignments with what the logs lead to. The nodes are followed once for all of them, so their blocks of decision may not
 * fall.
 */
export function createPlacementJudge(given: {
  history: MarketHistory;
  waves: readonly JudgedWave[];
  /** Has taken all logs. */
  index: AssignmentLogs;
}): (assignment: Assignment) => Promise<JudgedPlacement> {
  const { history, waves, index } = given;
  const { logs, clock, deployment, upTo } = history;
  const { slotSeconds } = deployment.parameters;
  const fleetAt = createFleets(logs, waves);
  return async ({ assigned, decided }) => {
    const own = index.of(assigned, decided?.time ?? 0, slotSeconds);
    const audit = auditAssignment(own, assigned, {
      decided,
      assignedAt: assigned.time,
      timesOf: await decisionTimes([assigned, ...othersPending(own, assigned)], upTo, clock),
      slotSeconds,
      nodes: decided === undefined ? [] : fleetAt(decided),
      priceNow: index.priceBefore(number(assigned.args.nodeId), assigned),
    });
    const { excluded, ...others } = audit.checks;
    // A node that was lost is marked as offline, or absent in a slot, later than the assignment that avoided it.
    const isYoung = (await clock.timeOf(upTo)) <= assigned.time + offlineSeconds + 2 * slotSeconds;
    const found = {
      kind: "placement",
      id: leaseKey(assigned.args),
      block: assigned.block,
      checks: audit.checks,
    } as const;
    return {
      record: recordOf(found, () => detailOf(audit)),
      isEarly: isYoung && !excluded && Object.values(others).every(Boolean),
    };
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

/** The assignments in the order of the blocks that they name. */
export async function inOrderOfDecision(
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
