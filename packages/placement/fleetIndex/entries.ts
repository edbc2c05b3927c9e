import type { Capacity, FleetNode } from "../fleet.ts";
import { refreshCell } from "./cellMinima.ts";
import { claimSlot, type Moved, vacateSlot } from "./cellSlots.ts";
import { type Cells, createCells, growCells } from "./cells.ts";
import { type Classes, createClasses, dropClass, type NodeClass } from "./classes.ts";
import { addHolder, type Images, removeHolder } from "./images.ts";
import { blockSize, bucketCount, bucketOf, idColumn, slotStart, writeNode } from "./layout.ts";
import type { Places } from "./searchMemory.ts";

/** A node of the index. It is a copy, because reservations change it. */
export type Entry = Omit<FleetNode, "free" | "workspaces"> & {
  free: Capacity;
  workspaces: bigint[];
  group: NodeClass;
};

/** The nodes of an index, with the cell and slot of each. */
export type Entries = {
  /** By node id. The contract assigns dense ids. */
  all: (Entry | undefined)[];
  places: Places;
  size: number;
  classes: Classes;
  cells: Cells;
  images: Images;
  /** Number of replicas on each node, by workspace. */
  byWorkspace: Map<bigint, Map<number, number>>;
  moved: Moved;
};

export function createEntries(): Entries {
  const places: Places = { cells: new Int32Array(64), slots: new Int32Array(64) };
  const cells = createCells();
  return {
    all: [],
    places,
    size: 0,
    classes: createClasses(),
    cells,
    images: new Map(),
    byWorkspace: new Map(),
    moved: (slot) => {
      places.slots[cells.blocks.rows[slotStart(slot) + idColumn * blockSize] as number] = slot;
    },
  };
}

/** @throws RangeError when the index has no such node. */
export function entryOf({ all }: Entries, nodeId: number): Entry {
  const entry = all[nodeId];
  if (entry === undefined) throw new RangeError(`The index has no node ${nodeId}.`);
  return entry;
}

export function addEntry(entries: Entries, entry: Entry): void {
  const { places } = entries;
  const { nodeId } = entry;
  entries.size += 1;
  entry.group.size += 1;
  entries.all[nodeId] = entry;
  if (nodeId >= places.cells.length) {
    places.cells = longer(places.cells, nodeId);
    places.slots = longer(places.slots, nodeId);
  }
  growCells(entries.cells, entries.classes.all.length);
  position(entries, entry);
  for (const image of entry.images) addHolder(entries.images, image, nodeId, entries.size);
}

export function dropEntry(entries: Entries, entry: Entry): void {
  const { nodeId, group } = entry;
  for (const image of entry.images) removeHolder(entries.images, image, nodeId, entries.size);
  displace(entries, entry);
  entries.all[nodeId] = undefined;
  entries.size -= 1;
  group.size -= 1;
  if (group.size === 0) dropClass(entries.classes, group);
}

/** Writes a node's columns to its slot and updates the minima. */
export function rewrite({ places, cells }: Entries, entry: Entry): void {
  const slot = places.slots[entry.nodeId] as number;
  writeNode(cells.blocks.rows, slot, entry);
  refreshCell(cells, places.cells[entry.nodeId] as number, Math.floor(slot / blockSize));
}

/** Reserves capacity on a node (sign 1) or releases it (sign -1). */
export function takeCapacity(entries: Entries, entry: Entry, wanted: Capacity, sign: 1 | -1): void {
  const { free } = entry;
  free.gpus -= sign * wanted.gpus;
  free.cpuMilli -= sign * wanted.cpuMilli;
  free.memoryMib -= sign * wanted.memoryMib;
  free.diskGib -= sign * wanted.diskGib;
  free.ports -= sign * wanted.ports;
  if (bucketOf(free.gpus) === (entries.places.cells[entry.nodeId] as number) % bucketCount) {
    rewrite(entries, entry);
  } else {
    displace(entries, entry);
    position(entries, entry);
  }
}

function position(entries: Entries, entry: Entry): void {
  const { places, cells, moved } = entries;
  const cell = entry.group.number * bucketCount + bucketOf(entry.free.gpus);
  places.cells[entry.nodeId] = cell;
  places.slots[entry.nodeId] = claimSlot(cells, cell, Number(entry.pricePerSecond), moved);
  rewrite(entries, entry);
}

function displace({ places, cells, moved }: Entries, { nodeId }: Entry): void {
  vacateSlot(cells, places.cells[nodeId] as number, places.slots[nodeId] as number, moved);
}

/** Adds all replicas of a node to the counts, or subtracts them. */
export function countReplicas({ byWorkspace }: Entries, entry: Entry, by: 1 | -1): void {
  for (const id of entry.workspaces) countReplica(byWorkspace, id, entry.nodeId, by);
}

export function countReplica(
  of: Map<bigint, Map<number, number>>,
  id: bigint,
  nodeId: number,
  by: 1 | -1,
): void {
  const nodes = of.get(id) ?? new Map<number, number>();
  const now = (nodes.get(nodeId) ?? 0) + by;
  if (now > 0) of.set(id, nodes.set(nodeId, now));
  else if (nodes.delete(nodeId) && nodes.size === 0) of.delete(id);
}

/** Whether both belong in the same cell at the same price and have the same images. */
export function samePlace(one: Entry, other: Entry): boolean {
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
