import type { Capacity, FleetNode, PlacementRequest, Strategy } from "../fleet.ts";
import { firstMiss } from "../misses.ts";
import { candidateOf, orderFor, type Ranked, rankedOf, seedOf, wantsImageFirst } from "../order.ts";
import { createBlocks } from "./blocks.ts";
import { claimSlot, classKey, createClass, type NodeClass, refreshInClass, vacateSlot } from "./classes.ts";
import { blockSize, idColumn, nodeStride, scoreColumn, writeNode } from "./layout.ts";
import { type Choice, createSearch } from "./search.ts";

/** A node of the index: its own copy, since reservations change it. */
type Entry = Omit<FleetNode, "free" | "workspaces"> & {
  free: Capacity;
  workspaces: bigint[];
  key: string;
  group: NodeClass | null;
  slot: number;
};

export type FleetIndex = {
  /** Adds a node, or replaces what is known of it. */
  put(node: FleetNode): void;
  remove(nodeId: number): void;
  /** Takes a replica's capacity from a node at once; `release` gives it back. */
  reserve(nodeId: number, request: Pick<PlacementRequest, "workspaceId" | "wanted">): void;
  release(nodeId: number, request: Pick<PlacementRequest, "workspaceId" | "wanted">): void;
  /** The node that `decide` would choose at this state; undefined when none fits. */
  best(request: PlacementRequest, strategy: Strategy): number | undefined;
  /** The first `length` of the nodes that fit, as `decide` ranks them. */
  rank(request: PlacementRequest, strategy: Strategy, length: number): Ranked[];
  get(nodeId: number): FleetNode | undefined;
  nodes(): Iterable<FleetNode>;
  readonly size: number;
};

/** An index over a fleet that answers what trying every node answers, and follows single changes of nodes at once. */
export function createFleetIndex(nodes: Iterable<FleetNode> = []): FleetIndex {
  const entries = new Map<number, Entry>();
  const blocks = createBlocks();
  const classes = new Map<string, NodeClass>();
  let classList: NodeClass[] = [];
  const byWorkspace = new Map<bigint, Map<number, number>>();
  const byImage = new Map<string, Map<NodeClass, Set<Entry>>>();
  const nowhere = new Map<NodeClass, Set<Entry>>();
  const search = createSearch();
  const none = new Set<number>();

  const moved = (slot: number) => {
    const entry = entries.get(blocks.rows[slot * nodeStride + idColumn] as number);
    if (entry !== undefined) entry.slot = slot;
  };
  const place = (entry: Entry) => {
    if (entry.status !== "online") return;
    let group = classes.get(entry.key);
    if (group === undefined) {
      group = createClass(entry);
      classes.set(entry.key, group);
      classList.push(group);
    }
    entry.group = group;
    entry.slot = claimSlot(blocks, group, Number(entry.pricePerSecond), moved);
    rewrite(entry);
    for (const image of entry.images) {
      const holders = byImage.get(image) ?? new Map<NodeClass, Set<Entry>>();
      byImage.set(image, holders.set(group, (holders.get(group) ?? new Set()).add(entry)));
    }
  };
  const rewrite = (entry: Entry) => {
    if (entry.group === null) return;
    writeNode(blocks.rows, entry.slot * nodeStride, entry);
    refreshInClass(blocks, entry.group, Math.floor(entry.slot / blockSize));
  };
  const displace = (entry: Entry) => {
    const { group, slot, key } = entry;
    if (group === null) return;
    for (const image of entry.images) {
      const holders = byImage.get(image);
      const own = holders?.get(group);
      if (own?.delete(entry) && own.size === 0) holders?.delete(group);
      if (holders?.size === 0) byImage.delete(image);
    }
    vacateSlot(blocks, group, slot, moved);
    if (group.blocks.length > 0) return;
    classes.delete(key);
    classList = classList.filter((one) => one !== group);
  };
  const note = (entry: Entry, by: 1 | -1) => {
    for (const id of entry.workspaces) count(byWorkspace, id, entry.nodeId, by);
  };
  const known = (nodeId: number) => {
    const entry = entries.get(nodeId);
    if (entry === undefined) throw new RangeError(`The index has no node ${nodeId}.`);
    return entry;
  };
  const take = (entry: Entry, wanted: Capacity, sign: 1 | -1) => {
    const { free } = entry;
    free.gpus -= sign * wanted.gpus;
    free.cpuMilli -= sign * wanted.cpuMilli;
    free.memoryMib -= sign * wanted.memoryMib;
    free.diskGib -= sign * wanted.diskGib;
    free.ports -= sign * wanted.ports;
    rewrite(entry);
  };

  /** The best of a few nodes by looking at each. */
  const bestAmong = (
    ids: Iterable<number>,
    request: PlacementRequest,
    strategy: Strategy,
    passed: Set<number>,
  ) => {
    const [seed, order] = [seedOf(request.workspaceId), orderFor(request, strategy)];
    let best: ReturnType<typeof candidateOf> | undefined;
    for (const id of ids) {
      const entry = entries.get(id);
      if (entry === undefined || passed.has(id) || firstMiss(entry, request) !== null) continue;
      const candidate = candidateOf(entry, request, strategy, seed);
      if (best === undefined || order(candidate, best) < 0) best = candidate;
    }
    return best?.nodeId;
  };
  /** The best of the nodes without a replica of the workspace. */
  const bestWithout = (
    request: PlacementRequest,
    strategy: Strategy,
    own: Map<number, number> | undefined,
    passed: Set<number>,
  ) => {
    const seed = seedOf(request.workspaceId);
    const column = scoreColumn(strategy.score);
    const holders = byImage.get(request.image) ?? nowhere;
    const admits = (id: number) =>
      own?.has(id) !== true &&
      !passed.has(id) &&
      !request.excluded.includes(id) &&
      // The row's price is rounded to 53 bits; only the exact one decides.
      known(id).pricePerSecond <= request.maxPricePerSecond;
    const through = (choice: Choice, measured: boolean) =>
      search(choice, blocks, { request, column, seed, measured, admits });
    const imageOnly = request.imageAffinity === "require";
    const imageFirst = imageOnly || wantsImageFirst(request, strategy);
    if (!imageFirst) return through(classList, true) || through(classList, false);
    return (
      through(holders, true) ||
      (imageOnly ? 0 : through(classList, true)) ||
      through(holders, false) ||
      (imageOnly ? 0 : through(classList, false))
    );
  };
  const bestPassing = (
    request: PlacementRequest,
    strategy: Strategy,
    passed: Set<number>,
  ): number | undefined => {
    const own = byWorkspace.get(request.workspaceId);
    const among = () => (own === undefined ? undefined : bestAmong(own.keys(), request, strategy, passed));
    const without = () => bestWithout(request, strategy, own, passed) || undefined;
    return request.replicas === "spread" ? (without() ?? among()) : (among() ?? without());
  };

  const index: FleetIndex = {
    put(node) {
      const old = entries.get(node.nodeId);
      const entry: Entry = {
        ...node,
        free: { ...node.free },
        workspaces: [...node.workspaces],
        key: classKey(node),
        group: null,
        slot: -1,
      };
      if (old !== undefined) note(old, -1);
      note(entry, 1);
      const stays = old?.group && entry.status === "online" && old.key === entry.key;
      if (old !== undefined && stays && samePlace(old, entry)) {
        const { group, slot } = old;
        Object.assign(old, entry, { group, slot });
        rewrite(old);
        return;
      }
      entries.set(entry.nodeId, entry);
      if (old !== undefined) displace(old);
      place(entry);
    },
    remove(nodeId) {
      const entry = entries.get(nodeId);
      if (entry === undefined) return;
      entries.delete(nodeId);
      note(entry, -1);
      displace(entry);
    },
    reserve(nodeId, { workspaceId, wanted }) {
      const entry = known(nodeId);
      entry.workspaces.push(workspaceId);
      count(byWorkspace, workspaceId, nodeId, 1);
      take(entry, wanted, 1);
    },
    release(nodeId, { workspaceId, wanted }) {
      const entry = known(nodeId);
      const at = entry.workspaces.lastIndexOf(workspaceId);
      if (at < 0) throw new RangeError(`Node ${nodeId} has no replica of workspace ${workspaceId}.`);
      entry.workspaces.splice(at, 1);
      count(byWorkspace, workspaceId, nodeId, -1);
      take(entry, wanted, -1);
    },
    best: (request, strategy) => bestPassing(request, strategy, none),
    rank(request, strategy, length) {
      const [passed, ranking, seed] = [new Set<number>(), [] as Ranked[], seedOf(request.workspaceId)];
      while (ranking.length < length) {
        const nodeId = bestPassing(request, strategy, passed);
        if (nodeId === undefined) break;
        passed.add(nodeId);
        ranking.push(rankedOf(candidateOf(known(nodeId), request, strategy, seed)));
      }
      return ranking;
    },
    get: (nodeId) => entries.get(nodeId),
    nodes: () => entries.values(),
    get size() {
      return entries.size;
    },
  };
  for (const node of nodes) index.put(node);
  return index;
}

/** Whether both lie at one place among the blocks and the holders of images. */
function samePlace(one: FleetNode, other: FleetNode): boolean {
  const { images } = one;
  return (
    one.pricePerSecond === other.pricePerSecond &&
    images.size === other.images.size &&
    [...images].every((image) => other.images.has(image))
  );
}

function count(of: Map<bigint, Map<number, number>>, id: bigint, nodeId: number, by: 1 | -1): void {
  const nodes = of.get(id) ?? new Map<number, number>();
  const now = (nodes.get(nodeId) ?? 0) + by;
  if (now > 0) of.set(id, nodes.set(nodeId, now));
  else if (nodes.delete(nodeId) && nodes.size === 0) of.delete(id);
}
