import { decide } from "@ngpu/placement/decide";
import { countedExclusions } from "@ngpu/placement/exclusions";
import { firstRejection } from "@ngpu/placement/filters";
import type { FleetBlock, FleetNode, PlacementRequest } from "@ngpu/placement/fleet";
import { strategyOf } from "@ngpu/placement/preferences";
import { maxListedNodes, unpackNodes } from "@ngpu/protocol/placement/nodeList";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import type { Hex } from "viem";
import { exclusionReason } from "./exclusionReasons.ts";
import { type PlaceBounds, placeBounds } from "./placeBounds.ts";
import { priceLimitOf } from "./priceLimit.ts";
import { wantedOf } from "./workspaceLogs.ts";

/** A node that the assignment names as excluded, and why the chain says so; null: it does not. */
export type Exclusion = { nodeId: number; reason: string | null };

export type AssignmentAudit = {
  nodeId: number;
  price: bigint;
  /** What the assignment names: the block of the decision, the place among those of the workspace, and the excluded nodes. */
  decidedAt: bigint;
  position: number;
  excluded: Exclusion[];
  /** The places that the chain has for it. */
  places: PlaceBounds;
  /** The best nodes at that block, that place and without the excluded ones. */
  ranking: number[];
  checks: Record<"block" | "place" | "price" | "excluded" | "fits" | "best", boolean>;
};

/** Seconds after which a decision is too old: its keeper could look for a block at which another node was the best. */
const maxDecisionAge = 3_600;

type Given = {
  /** The block of the decision; undefined where the chain has none with this number. */
  decided: FleetBlock | undefined;
  /** The time of the assignment, Unix seconds. */
  assignedAt: number;
  /** The times of the blocks of decision of the workspace's assignments. */
  timesOf: ReadonlyMap<bigint, number>;
  slotSeconds: number;
  /** Every node as of the block of the decision; none where the chain has no such block. */
  nodes: readonly FleetNode[];
  /** The price of the node before the assignment; undefined: it was not registered. */
  priceNow: bigint | undefined;
};

/**
 * Recomputes an assignment from logs: at the block, place and exclusions that it names, its node must be the best one, at no more
 * than its price there. The place must be that of the workspace's other assignments that the block does not include, and the chain
 * must have a reason for each node that was excluded.
 *
 * @param logs Those that `AssignmentLogs` finds for it, or more; of status changes with their times.
 * @param assigned The log of the assignment.
 */
export function auditAssignment(
  logs: readonly ChainLog[],
  assigned: ChainLog,
  { decided, assignedAt, timesOf, slotSeconds, nodes, priceNow }: Given,
): AssignmentAudit {
  const { args, block } = assigned;
  const named = {
    nodeId: number(args.nodeId),
    price: amount(args.pricePerSecond),
    decidedAt: amount(args.decidedAt),
    position: number(args.position),
  };
  const places = placeBounds(logs, assigned, timesOf);
  const failed = { price: false, excluded: false, fits: false, best: false };
  const place = named.position >= places.least && named.position <= places.most;
  const none = { ...named, places, excluded: [], ranking: [] };
  if (decided === undefined || named.decidedAt === 0n || named.decidedAt >= block) {
    return { ...none, checks: { block: false, place, ...failed } };
  }
  const isRecent = assignedAt - decided.time <= maxDecisionAge;
  const listed = unpackNodes(args.excluded as Hex);
  const wanted = requestAt(logs, assigned, { decided, excluded: listed ?? [], position: named.position });
  if (wanted === undefined) return { ...none, checks: { block: isRecent, place, ...failed } };
  const { request, strategy } = wanted;
  const reasonOf = (nodeId: number) =>
    exclusionReason(logs, { assigned, time: decided.time, slotSeconds }, nodeId);
  const excluded = request.excluded.map((nodeId) => ({ nodeId, reason: reasonOf(nodeId) }));
  const complete = { ...request, excluded: [...request.excluded, ...unlisted(nodes, request, reasonOf)] };
  const decision = decide({ block: decided, nodes }, complete, strategyOf(strategy));
  const ranking = decision.type === "placed" ? decision.ranking.map(({ nodeId }) => nodeId) : [];
  const chosen = nodes.find(({ nodeId }) => nodeId === named.nodeId);
  const counted = countedExclusions((nodeId) => nodes.find((node) => node.nodeId === nodeId), request);
  return {
    ...named,
    places,
    excluded,
    ranking,
    checks: {
      block: isRecent,
      place,
      price: named.price === priceNow && named.price <= (chosen?.pricePerSecond ?? 0n),
      excluded:
        listed !== undefined &&
        counted.length === listed.length &&
        excluded.every(({ reason }) => reason !== null),
      fits: chosen !== undefined && firstRejection(chosen, request) === null,
      best: ranking[0] === named.nodeId,
    },
  };
}

/** What the workspace asked for at the block of the decision; undefined when it was not open then. */
function requestAt(
  logs: readonly ChainLog[],
  { args }: ChainLog,
  { decided, ...named }: { decided: FleetBlock; excluded: number[]; position: number },
): { request: PlacementRequest; strategy: PlacementPreferences } | undefined {
  const workspaceId = amount(args.workspaceId);
  const wanted = wantedOf(logs, { workspaceId, block: decided.number, ...named });
  if (wanted === undefined) return undefined;
  const { request, preferences } = wanted;
  const at = { block: decided.number, time: decided.time };
  const limit = priceLimitOf(logs, { workspaceId, replica: number(args.replica) }, at);
  const isLimited = limit !== undefined && limit < request.maxPricePerSecond;
  return {
    request: isLimited ? { ...request, maxPricePerSecond: limit } : request,
    strategy: preferences,
  };
}

/** An assignment names so many excluded nodes at most; beyond, those that the chain has a reason for count. */
function unlisted(
  nodes: readonly FleetNode[],
  { excluded }: PlacementRequest,
  reasonOf: (nodeId: number) => string | null,
): number[] {
  if (excluded.length < maxListedNodes) return [];
  return nodes.map(({ nodeId }) => nodeId).filter((nodeId) => reasonOf(nodeId) !== null);
}
