import { distanceOf, type Nearest } from "../decide.ts";
import type { FleetNode, PlacementRequest } from "../fleet.ts";
import { kindMissesOf, missesOf, priceMiss } from "../misses.ts";
import {
  blockSize,
  blockStride,
  bucketCount,
  idColumn,
  limitCount,
  limited,
  limitsAt,
  minimaStride,
  scoreCount,
  writeLimits,
} from "./layout.ts";
import type { IndexedNodes } from "./refusals.ts";

const latencyColumn = limited.indexOf("latencyTenthMs");
const roughly = 2e-6;

/** What is searched, and the nearest so far. */
type Nearness = IndexedNodes & {
  limits: Float64Array;
  /** 0 for none. */
  nearest: number;
  least: number;
};

/** A request, with what is asked of it again and again. */
type Asked = { request: PlacementRequest; excluded: ReadonlySet<number>; highest: number };

/**
 * Finds the refused node that lacks the least, as `nearestOf` of decide.ts does. A cell is entered only if its minima allow a node
 * with as few misses as the nearest so far, and a shortfall is summed up only for such nodes.
 */
export function createNearest(indexed: IndexedNodes): (request: PlacementRequest) => Nearest | null {
  const { classes, cells, get } = indexed;
  const limits = new Float64Array(limitCount);
  const nearness: Nearness = { classes, cells, get, limits, nearest: 0, least: Number.POSITIVE_INFINITY };
  return (request) => nearestTo(nearness, request);
}

function nearestTo(nearness: Nearness, request: PlacementRequest): Nearest | null {
  const { classes, get, limits } = nearness;
  const excluded = new Set(request.excluded);
  const asked: Asked = { request, excluded, highest: Number(request.maxPricePerSecond) };
  nearness.nearest = 0;
  nearness.least = Number.POSITIVE_INFINITY;
  writeLimits(limits, request);
  for (const nodeId of excluded) {
    const node = get(nodeId);
    if (node !== undefined) consider(nearness, nodeId, distanceOf(missesOf(node, request)));
  }
  for (const one of classes.byKey.values()) {
    const kind = kindMissesOf(one, request);
    const sum = kind.reduce((all, { shortfall }) => all + shortfall, 0);
    for (let at = 0; at < bucketCount; at += 1) {
      enterCell(nearness, asked, one.number * bucketCount + at, kind.length, sum);
    }
  }
  const node = get(nearness.nearest);
  return node === undefined ? null : { nodeId: nearness.nearest, misses: missesOf(node, request) };
}

function consider(nearness: Nearness, nodeId: number, distance: number): void {
  const { least, nearest } = nearness;
  if (distance > least || (distance === least && nodeId > nearest)) return;
  nearness.nearest = nodeId;
  nearness.least = distance;
}

function enterCell(
  nearness: Nearness,
  asked: Asked,
  cell: number,
  kindMisses: number,
  kindSum: number,
): void {
  const { cells } = nearness;
  if ((kindMisses + leastMisses(nearness, asked, cell)) * 100 > nearness.least) return;
  const { counts } = cells.blocks;
  for (const block of cells.lists[cell] as number[]) {
    const first = block * blockStride;
    const end = first + (counts[block] as number);
    for (let at = first; at < end; at += 1) lookAt(nearness, asked, at, kindMisses, kindSum);
  }
}

/** What every node of a cell misses at least, beside its kind. */
function leastMisses({ cells, limits }: Nearness, { highest }: Asked, cell: number): number {
  const start = cell * minimaStride;
  let misses = (cells.minima[start] as number) > highest ? 1 : 0;
  for (let column = 0; column < limitCount; column += 1) {
    if ((cells.minima[start + limitsAt + column] as number) > (limits[column] as number)) misses += 1;
  }
  return misses;
}

function lookAt(nearness: Nearness, asked: Asked, at: number, kindMisses: number, kindSum: number): void {
  const { cells, limits, least } = nearness;
  const { request, highest } = asked;
  const { rows } = cells.blocks;
  let misses = kindMisses;
  let sum = kindSum;
  for (let column = 0; column < limitCount; column += 1) {
    const has = rows[at + (scoreCount + column) * blockSize] as number;
    const limit = limits[column] as number;
    if (has <= limit) continue;
    misses += 1;
    sum += 1 - (column === latencyColumn ? limit / has : has / limit);
  }
  const nodeId = rows[at + idColumn * blockSize] as number;
  if (misses * 100 + sum > least || asked.excluded.has(nodeId)) return;
  const price = rows[at] as number;
  // Misses are compared by millionths of the price; a rough figure rules most nodes out before.
  if (price > highest && (misses + 1) * 100 + sum + 1 - highest / price - roughly > least) return;
  const node = nearness.get(nodeId) as FleetNode;
  if (request.imageAffinity === "require" && !node.images.has(request.image)) {
    misses += 1;
    sum += 1;
  }
  if (price >= highest) {
    const dear = priceMiss(node, request);
    if (dear !== null) {
      misses += 1;
      sum += dear.shortfall;
    }
  }
  if (misses > 0) consider(nearness, nodeId, misses * 100 + sum);
}
