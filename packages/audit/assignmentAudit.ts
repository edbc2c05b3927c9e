import { releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { decide } from "@ngpu/placement/decide";
import { firstRejection } from "@ngpu/placement/filters";
import type { FleetBlock, FleetNode } from "@ngpu/placement/fleet";
import { strategyOf } from "@ngpu/placement/preferences";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import { fleetOfLogs } from "./fleetLogs.ts";
import { priceLimitOf } from "./priceLimit.ts";
import { wantedOf } from "./workspaceLogs.ts";

/** A better node that was not chosen, and why the chain says so; null: it does not. */
export type PassedOver = { nodeId: number; reason: string | null };

export type AssignmentAudit = {
  nodeId: number;
  price: bigint;
  /** The block that the assignment names as that of the decision, and the place among those of the workspace. */
  decidedAt: bigint;
  position: number;
  /** The best nodes at that block. */
  ranking: number[];
  passedOver: PassedOver[];
  checks: { decided: boolean; price: boolean; fits: boolean; best: boolean };
};

/** Endings of a lease after which its node is not tried again for some time. */
const failures = new Set<string>(["lost", "late", "silent", "replaced"]);

/**
 * Recomputes an assignment from logs: the node must be the best one at the block of the decision, at no more than its price there.
 * A better one may be passed over only for a reason that the chain has: an earlier lease of the replica failed on it, or it no
 * longer fitted when the assignment reached the chain. A replacement of a lease that was taken away has a lower highest price.
 *
 * @param logs With the times of the releases of the replica.
 * @param assigned The log of the assignment.
 * @param decided Its block of decision; undefined where the chain has none with this number.
 */
export function auditAssignment(
  logs: readonly ChainLog[],
  assigned: ChainLog,
  decided: FleetBlock | undefined,
): AssignmentAudit {
  const { args, block } = assigned;
  const [nodeId, price, decidedAt] = [
    number(args.nodeId),
    amount(args.pricePerSecond),
    amount(args.decidedAt),
  ];
  const found = { nodeId, price, decidedAt };
  const isDecided = decided !== undefined && decidedAt > 0n && decidedAt < block;
  const none = { ...found, position: 0, ranking: [], passedOver: [] };
  const failed = { decided: isDecided, price: false, fits: false, best: false };
  if (!isDecided) return { ...none, checks: failed };
  const position = positionOf(logs, assigned);
  const workspaceId = amount(args.workspaceId);
  const wanted = wantedOf(logs, { workspaceId, position, excluded: [], block: decidedAt });
  if (wanted === undefined) return { ...none, position, checks: failed };
  const limit = priceLimitOf(
    logs,
    { workspaceId, replica: number(args.replica) },
    { block: decidedAt, time: decided.time },
  );
  const { maxPricePerSecond: maximum } = wanted.request;
  const maxPricePerSecond = limit !== undefined && limit < maximum ? limit : maximum;
  const request = { ...wanted.request, maxPricePerSecond };
  const nodes = fleetOfLogs(logs, decided);
  const chosen = nodes.find((node) => node.nodeId === nodeId);
  const decision = decide({ block: decided, nodes }, request, strategyOf(wanted.preferences));
  const ranking = decision.type === "placed" ? decision.ranking.map((one) => one.nodeId) : [];
  const place = ranking.indexOf(nodeId);
  const before = logs.filter(
    (log) => log.block < block || (log.block === block && log.logIndex < assigned.logIndex),
  );
  const later = fleetOfLogs(before, { ...decided, number: block });
  const fits = (node: FleetNode | undefined) => node !== undefined && firstRejection(node, request) === null;
  const passedOver = (place < 0 ? ranking : ranking.slice(0, place)).map((better): PassedOver => {
    const failure = failureOf(before, assigned, better);
    const isGone = !fits(later.find((node) => node.nodeId === better));
    return { nodeId: better, reason: failure ?? (isGone ? `It no longer fitted in block ${block}.` : null) };
  });
  const priceNow = later.find((node) => node.nodeId === nodeId)?.pricePerSecond;
  return {
    ...{ ...found, position, ranking, passedOver },
    checks: {
      decided: true,
      price: price === priceNow && price <= (chosen?.pricePerSecond ?? 0n),
      fits: fits(chosen),
      best: place >= 0 && passedOver.every(({ reason }) => reason !== null),
    },
  };
}

/** Number of assignments of the workspace before this one that its block of decision does not include. */
function positionOf(logs: readonly ChainLog[], { args, block, logIndex }: ChainLog): number {
  return logs.filter(
    (log) =>
      log.name === "Assigned" &&
      log.args.workspaceId === args.workspaceId &&
      log.block > amount(args.decidedAt) &&
      (log.block < block || (log.block === block && log.logIndex < logIndex)),
  ).length;
}

/** Why an earlier lease of the replica ended on a node; null where none failed there. */
function failureOf(before: readonly ChainLog[], { args }: ChainLog, nodeId: number): string | null {
  for (const { name, args: ended } of before) {
    const isSame = ended.workspaceId === args.workspaceId && ended.replica === args.replica;
    if (name !== "Released" || !isSame || number(ended.nodeId) !== nodeId) continue;
    const reason = releaseReasons[number(ended.reason)] ?? "";
    if (failures.has(reason)) return `Lease ${leaseKey(ended)} ended on it as ${reason}.`;
  }
  return null;
}
