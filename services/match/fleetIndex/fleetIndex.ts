import type { Capacity, FleetNode, PlacementRequest, Strategy } from "../fleet.ts";
import { firstMiss } from "../misses.ts";
import { candidateOf, orderFor, type Ranked, rankedOf, seedOf, wantsImageFirst } from "../order.ts";
import { createBlocks } from "./blocks.ts";
import { claimSlot, classKey, createClass, type NodeClass, refreshInClass, vacateSlot } from "./classes.ts";
import { blockSize, idColumn, nodeStride, scoreColumn, writeNode } from "./layout.ts";
import { createSearch } from "./search.ts";

/** An image on so few nodes that looking at each of them is cheaper than searching. */
const fewHolders = 256;

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
  const byImage = new Map<string, Set<number>>();
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
  };
  const rewrite = (entry: Entry) => {
    if (entry.group === null) return;
    writeNode(blocks.rows, entry.slot * nodeStride, entry);
    refreshInClass(blocks, entry.group, Math.floor(entry.slot / blockSize));
  };
  const displace = ({ group, slot, key }: Entry) => {
    if (group === null) return;
    vacateSlot(blocks, group, slot, moved);
    if (group.blocks.length > 0) return;
    classes.delete(key);
    classList = classList.filter((one) => one !== group);
  };
  const note = (entry: Entry, by: 1 | -1) => {
    for (const id of entry.workspaces) count(byWorkspace, id, entry.nodeId, by);
    for (const image of entry.images) {
      const holders = byImage.get(image) ?? new Set();
      if (by === 1) byImage.set(image, holders.add(entry.nodeId));
      else if (holders.delete(entry.nodeId) && holders.size === 0) byImage.delete(image);
    }
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
    const holders = byImage.get(request.image) ?? none;
    const exact = request.maxPricePerSecond;
    const admissible = (id: number) =>
      own?.has(id) !== true &&
      !passed.has(id) &&
      !request.excluded.includes(id) &&
      // The row's price is rounded to 53 bits; only the exact one decides.
      known(id).pricePerSecond <= exact;
    const admits = {
      any: admissible,
      image: (id: number) => holders.has(id) && admissible(id),
    };
    const through = (measured: boolean, which: keyof typeof admits) =>
      search(classList, blocks, { request, column, seed, measured, admits: admits[which] });
    const imageOnly = request.imageAffinity === "require";
    const imageFirst = imageOnly || wantsImageFirst(request, strategy);
    if (imageFirst && holders.size > fewHolders) {
      return (
        through(true, "image") ||
        (imageOnly ? 0 : through(true, "any")) ||
        through(false, "image") ||
        (imageOnly ? 0 : through(false, "any"))
      );
    }
    if (!imageFirst) return through(true, "any") || through(false, "any");
    const skipped = own === undefined ? passed : new Set([...passed, ...own.keys()]);
    const near = bestAmong(holders, request, strategy, skipped);
    // Nothing beats a measured node with the image; a measured one without it beats an unmeasured one with it.
    if (imageOnly || (near !== undefined && known(near).measured)) return near ?? 0;
    return through(true, "any") || near || through(false, "any");
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
      entries.set(entry.nodeId, entry);
      const stays = old?.group && entry.status === "online" && old.key === entry.key;
      if (old !== undefined && stays && old.pricePerSecond === entry.pricePerSecond) {
        entry.group = old.group;
        entry.slot = old.slot;
        rewrite(entry);
        return;
      }
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

function count(of: Map<bigint, Map<number, number>>, id: bigint, nodeId: number, by: 1 | -1): void {
  const nodes = of.get(id) ?? new Map<number, number>();
  const now = (nodes.get(nodeId) ?? 0) + by;
  if (now > 0) of.set(id, nodes.set(nodeId, now));
  else if (nodes.delete(nodeId) && nodes.size === 0) of.delete(id);
}
