import type { Nearest, Refusals } from "../decide.ts";
import type { FleetNode, PlacementRequest, Strategy } from "../fleet.ts";
import { candidateOf, type Ranked, rankedOf, seedOf } from "../ranking.ts";
import { bestExcept, type Searched } from "./best.ts";
import { classKey, classOf } from "./classes.ts";
import {
  addEntry,
  countReplica,
  countReplicas,
  createEntries,
  dropEntry,
  type Entries,
  type Entry,
  entryOf,
  rewrite,
  samePlace,
  takeCapacity,
} from "./entries.ts";
import { createNearest } from "./nearest.ts";
import { createRefusals } from "./rejections.ts";
import { createSearch } from "./searchMemory.ts";

export type FleetIndex = {
  /** Adds or replaces a node. */
  put(node: FleetNode): void;
  remove(nodeId: number): void;
  /** Reserves a replica's capacity on a node until `release`. */
  reserve(nodeId: number, request: Pick<PlacementRequest, "workspaceId" | "wanted">): void;
  release(nodeId: number, request: Pick<PlacementRequest, "workspaceId" | "wanted">): void;
  /** The node that `decide` chooses at this state; undefined when none fits. */
  best(request: PlacementRequest, strategy: Strategy): number | undefined;
  /** The first `length` nodes that fit, ranked as by `decide`. */
  rank(request: PlacementRequest, strategy: Strategy, length: number): Ranked[];
  /** Number of rejected nodes by the first filter that rejects them, as by `countRefusals`. */
  refusals(request: PlacementRequest): Refusals;
  /** The rejected node that is closest to fitting, as by `nearestOf`; null when no node is rejected. */
  nearest(request: PlacementRequest): Nearest | null;
  get(nodeId: number): FleetNode | undefined;
  nodes(): Iterable<FleetNode>;
  readonly size: number;
};

type Replica = Pick<PlacementRequest, "workspaceId" | "wanted">;

const none = new Set<number>();

/** An index over a fleet with the results of decide.ts. Changes of single nodes take effect immediately. */
export function createFleetIndex(nodes: Iterable<FleetNode> = []): FleetIndex {
  const entries = createEntries();
  const { all, classes, cells, places } = entries;
  const searched: Searched = { entries, search: createSearch(classes, cells, places) };
  const indexed = { classes, cells, get: (nodeId: number) => all[nodeId] };
  for (const node of nodes) put(entries, node);
  return {
    put: (node) => put(entries, node),
    remove: (nodeId) => remove(entries, nodeId),
    reserve: (nodeId, replica) => reserve(entries, nodeId, replica),
    release: (nodeId, replica) => release(entries, nodeId, replica),
    best: (request, strategy) => bestExcept(searched, request, strategy, none),
    rank: (request, strategy, length) => rank(searched, request, strategy, length),
    refusals: createRefusals(indexed),
    nearest: createNearest(indexed),
    get: (nodeId) => all[nodeId],
    *nodes() {
      for (const entry of all) if (entry !== undefined) yield entry;
    },
    get size() {
      return entries.size;
    },
  };
}

function put(entries: Entries, node: FleetNode): void {
  const { all, classes } = entries;
  const old = all[node.nodeId];
  const group = classOf(classes, classKey(node), node);
  const entry: Entry = {
    ...node,
    free: { ...node.free },
    workspaces: [...node.workspaces],
    group,
  };
  if (old !== undefined) countReplicas(entries, old, -1);
  countReplicas(entries, entry, 1);
  if (old !== undefined && samePlace(old, entry)) {
    Object.assign(old, entry);
    rewrite(entries, old);
    return;
  }
  if (old !== undefined) dropEntry(entries, old);
  // Dropping the class's last node has removed the class.
  entry.group = classOf(classes, group.key, node);
  addEntry(entries, entry);
}

function remove(entries: Entries, nodeId: number): void {
  const entry = entries.all[nodeId];
  if (entry === undefined) return;
  countReplicas(entries, entry, -1);
  dropEntry(entries, entry);
}

function reserve(entries: Entries, nodeId: number, { workspaceId, wanted }: Replica): void {
  const entry = entryOf(entries, nodeId);
  entry.workspaces.push(workspaceId);
  countReplica(entries.byWorkspace, workspaceId, nodeId, 1);
  takeCapacity(entries, entry, wanted, 1);
}

function release(entries: Entries, nodeId: number, { workspaceId, wanted }: Replica): void {
  const entry = entryOf(entries, nodeId);
  const at = entry.workspaces.lastIndexOf(workspaceId);
  if (at < 0) throw new RangeError(`Node ${nodeId} has no replica of workspace ${workspaceId}.`);
  entry.workspaces.splice(at, 1);
  countReplica(entries.byWorkspace, workspaceId, nodeId, -1);
  takeCapacity(entries, entry, wanted, -1);
}

function rank(searched: Searched, request: PlacementRequest, strategy: Strategy, length: number): Ranked[] {
  const ranked = new Set<number>();
  const ranking: Ranked[] = [];
  const seed = seedOf(request.workspaceId);
  while (ranking.length < length) {
    const nodeId = bestExcept(searched, request, strategy, ranked);
    if (nodeId === undefined) break;
    ranked.add(nodeId);
    ranking.push(rankedOf(candidateOf(entryOf(searched.entries, nodeId), request, strategy, seed)));
  }
  return ranking;
}
