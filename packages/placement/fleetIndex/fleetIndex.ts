import type { Nearest, Refusals } from "../decide.ts";
import type { Capacity, FleetNode, PlacementRequest, Strategy } from "../fleet.ts";
import { firstMiss } from "../misses.ts";
import { candidateOf, orderFor, type Ranked, rankedOf, seedOf, wantsImageFirst } from "../order.ts";
import { claimSlot, createCells, growCells, refreshCell, vacateSlot } from "./cells.ts";
import { classKey, classOf, createClasses, dropClass, type NodeClass } from "./classes.ts";
import { addHolder, type Images, removeHolder } from "./images.ts";
import { blockSize, bucketCount, bucketOf, idColumn, scoreColumn, slotStart, writeNode } from "./layout.ts";
import { createNearest } from "./nearest.ts";
import { createRefusals } from "./refusals.ts";
import { createSearch, type Places } from "./search.ts";

/** A node of the index: its own copy, since reservations change it. */
type Entry = Omit<FleetNode, "free" | "workspaces"> & {
  free: Capacity;
  workspaces: bigint[];
  group: NodeClass;
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
  /** Refused nodes by the first dimension that refuses them, each once, as `countRefusals` counts them. */
  refusals(request: PlacementRequest): Refusals;
  /** The refused node that lacks the least; null when none is refused. */
  nearest(request: PlacementRequest): Nearest | null;
  get(nodeId: number): FleetNode | undefined;
  nodes(): Iterable<FleetNode>;
  readonly size: number;
};

/** An index over a fleet that answers what trying every node answers, and follows single changes of nodes at once. */
export function createFleetIndex(nodes: Iterable<FleetNode> = []): FleetIndex {
  // Ids are dense: the contract counts them.
  const entries: (Entry | undefined)[] = [];
  const places: Places = { cells: new Int32Array(64), slots: new Int32Array(64) };
  let size = 0;
  const classes = createClasses();
  const cells = createCells();
  const byWorkspace = new Map<bigint, Map<number, number>>();
  const images: Images = new Map();
  const search = createSearch(classes, cells, places);
  const indexed = { classes, cells, get: (nodeId: number) => entries[nodeId] };
  const none = new Set<number>();

  const moved = (slot: number) => {
    places.slots[cells.blocks.rows[slotStart(slot) + idColumn * blockSize] as number] = slot;
  };
  const place = (entry: Entry) => {
    const cell = entry.group.number * bucketCount + bucketOf(entry.free.gpus);
    places.cells[entry.nodeId] = cell;
    places.slots[entry.nodeId] = claimSlot(cells, cell, Number(entry.pricePerSecond), moved);
    rewrite(entry);
  };
  const rewrite = ({ nodeId }: Entry) => {
    const slot = places.slots[nodeId] as number;
    writeNode(cells.blocks.rows, slot, entries[nodeId] as Entry);
    refreshCell(cells, places.cells[nodeId] as number, Math.floor(slot / blockSize));
  };
  const displace = ({ nodeId }: Entry) => {
    vacateSlot(cells, places.cells[nodeId] as number, places.slots[nodeId] as number, moved);
  };
  const join = (entry: Entry) => {
    const { nodeId } = entry;
    size += 1;
    entry.group.size += 1;
    entries[nodeId] = entry;
    if (nodeId >= places.cells.length) {
      places.cells = longer(places.cells, nodeId);
      places.slots = longer(places.slots, nodeId);
    }
    growCells(cells, classes.all.length);
    place(entry);
    for (const image of entry.images) addHolder(images, image, nodeId, size);
  };
  const leave = (entry: Entry) => {
    const { nodeId, group } = entry;
    for (const image of entry.images) removeHolder(images, image, nodeId, size);
    displace(entry);
    entries[nodeId] = undefined;
    size -= 1;
    group.size -= 1;
    if (group.size === 0) dropClass(classes, group);
  };
  const note = (entry: Entry, by: 1 | -1) => {
    for (const id of entry.workspaces) count(byWorkspace, id, entry.nodeId, by);
  };
  const known = (nodeId: number) => {
    const entry = entries[nodeId];
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
    if (bucketOf(free.gpus) === (places.cells[entry.nodeId] as number) % bucketCount) rewrite(entry);
    else {
      displace(entry);
      place(entry);
    }
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
      const entry = entries[id];
      if (entry === undefined || passed.has(id) || firstMiss(entry, request) !== null) continue;
      const candidate = candidateOf(entry, request, strategy, seed);
      if (best === undefined || order(candidate, best) < 0) best = candidate;
    }
    return best?.nodeId;
  };
  /** The best of the nodes without a replica of the workspace; 0 when none fits. */
  const bestWithout = (
    request: PlacementRequest,
    strategy: Strategy,
    own: Map<number, number> | undefined,
    passed: Set<number>,
  ): number => {
    const admits = (id: number) =>
      own?.has(id) !== true &&
      !passed.has(id) &&
      !request.excluded.includes(id) &&
      // The column's price is rounded to 53 bits; only the exact one decides.
      known(id).pricePerSecond <= request.maxPricePerSecond;
    const column = scoreColumn(strategy.score);
    search.begin({ request, column, seed: seedOf(request.workspaceId), admits });
    const imageOnly = request.imageAffinity === "require";
    const holders = imageOnly || wantsImageFirst(request, strategy) ? images.get(request.image) : undefined;
    for (const measured of [true, false]) {
      const found =
        (holders === undefined ? 0 : search.amongHolders(holders, measured)) ||
        (imageOnly ? 0 : search.among(measured));
      if (found !== 0) return found;
    }
    return 0;
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
      const old = entries[node.nodeId];
      const group = classOf(classes, classKey(node), node);
      const entry: Entry = {
        ...node,
        free: { ...node.free },
        workspaces: [...node.workspaces],
        group,
      };
      if (old !== undefined) note(old, -1);
      note(entry, 1);
      if (old !== undefined && samePlace(old, entry)) {
        Object.assign(old, entry);
        rewrite(old);
        return;
      }
      if (old !== undefined) leave(old);
      // The class may have gone with its last node.
      entry.group = classOf(classes, group.key, node);
      join(entry);
    },
    remove(nodeId) {
      const entry = entries[nodeId];
      if (entry === undefined) return;
      note(entry, -1);
      leave(entry);
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
    refusals: createRefusals(indexed),
    nearest: createNearest(indexed),
    get: (nodeId) => entries[nodeId],
    *nodes() {
      for (const entry of entries) if (entry !== undefined) yield entry;
    },
    get size() {
      return size;
    },
  };
  for (const node of nodes) index.put(node);
  return index;
}

/** Whether both lie in one cell, at one place among the prices there, and hold the same images. */
function samePlace(one: Entry, other: Entry): boolean {
  return (
    one.group === other.group &&
    bucketOf(one.free.gpus) === bucketOf(other.free.gpus) &&
    one.pricePerSecond === other.pricePerSecond &&
    one.images.size === other.images.size &&
    [...one.images].every((image) => other.images.has(image))
  );
}

function longer(from: Int32Array, index: number): Int32Array {
  const to = new Int32Array(Math.max(index + 1, 2 * from.length));
  to.set(from);
  return to;
}

function count(of: Map<bigint, Map<number, number>>, id: bigint, nodeId: number, by: 1 | -1): void {
  const nodes = of.get(id) ?? new Map<number, number>();
  const now = (nodes.get(nodeId) ?? 0) + by;
  if (now > 0) of.set(id, nodes.set(nodeId, now));
  else if (nodes.delete(nodeId) && nodes.size === 0) of.delete(id);
}
