import { distanceOf, type Nearest } from "../decide.ts";
import { classRejectionsOf, priceRejection, rejectionsOf } from "../filters.ts";
import type { FleetNode, PlacementRequest } from "../fleet.ts";
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
import type { IndexedNodes } from "./rejections.ts";

const latencyColumn = limited.indexOf("latencyTenthMs");
const priceTolerance = 2e-6;

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
  const requested: Asked = { request, excluded, highest: Number(request.maxPricePerSecond) };
  nearness.nearest = 0;
  nearness.least = Number.POSITIVE_INFINITY;
  writeLimits(limits, request);
  for (const nodeId of excluded) {
    const node = get(nodeId);
    if (node !== undefined) consider(nearness, nodeId, distanceOf(rejectionsOf(node, request)));
  }
  for (const one of classes.byKey.values()) {
    const kind = classRejectionsOf(one, request);
    const sum = kind.reduce((all, { shortfall }) => all + shortfall, 0);
    for (let at = 0; at < bucketCount; at += 1) {
      enterCell(nearness, requested, one.number * bucketCount + at, kind.length, sum);
    }
  }
  const node = get(nearness.nearest);
  return node === undefined ? null : { nodeId: nearness.nearest, rejections: rejectionsOf(node, request) };
}

function consider(nearness: Nearness, nodeId: number, distance: number): void {
  const { least, nearest } = nearness;
  if (distance > least || (distance === least && nodeId > nearest)) return;
  nearness.nearest = nodeId;
  nearness.least = distance;
}

function enterCell(
  nearness: Nearness,
  requested: Asked,
  cell: number,
  classRejections: number,
  classSum: number,
): void {
  const { cells } = nearness;
  if ((classRejections + leastMisses(nearness, requested, cell)) * 100 > nearness.least) return;
  const { counts } = cells.blocks;
  for (const block of cells.lists[cell] as number[]) {
    const first = block * blockStride;
    const end = first + (counts[block] as number);
    for (let at = first; at < end; at += 1) lookAt(nearness, requested, at, classRejections, classSum);
  }
}

/** What every node of a cell misses at least, beside its kind. */
function leastMisses({ cells, limits }: Nearness, { highest }: Asked, cell: number): number {
  const start = cell * minimaStride;
  let rejections = (cells.minima[start] as number) > highest ? 1 : 0;
  for (let column = 0; column < limitCount; column += 1) {
    if ((cells.minima[start + limitsAt + column] as number) > (limits[column] as number)) rejections += 1;
  }
  return rejections;
}

function lookAt(
  nearness: Nearness,
  requested: Asked,
  at: number,
  classRejections: number,
  classSum: number,
): void {
  const { cells, limits, least } = nearness;
  const { request, highest } = requested;
  const { rows } = cells.blocks;
  let rejections = classRejections;
  let sum = classSum;
  for (let column = 0; column < limitCount; column += 1) {
    const has = rows[at + (scoreCount + column) * blockSize] as number;
    const limit = limits[column] as number;
    if (has <= limit) continue;
    rejections += 1;
    sum += 1 - (column === latencyColumn ? limit / has : has / limit);
  }
  const nodeId = rows[at + idColumn * blockSize] as number;
  if (rejections * 100 + sum > least || requested.excluded.has(nodeId)) return;
  const price = rows[at] as number;
  // Misses are compared by millionths of the price; a rough figure rules most nodes out before.
  if (price > highest && (rejections + 1) * 100 + sum + 1 - highest / price - priceTolerance > least) return;
  const node = nearness.get(nodeId) as FleetNode;
  if (request.imageAffinity === "require" && !node.images.has(request.image)) {
    rejections += 1;
    sum += 1;
  }
  if (price >= highest) {
    const tooExpensive = priceRejection(node, request);
    if (tooExpensive !== null) {
      rejections += 1;
      sum += tooExpensive.shortfall;
    }
  }
  if (rejections > 0) consider(nearness, nodeId, rejections * 100 + sum);
}
