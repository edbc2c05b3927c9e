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

/** The searched nodes, and the nearest so far. */
type Nearness = IndexedNodes & {
  limits: Float64Array;
  /** 0 for none. */
  nearest: number;
  least: number;
};

/** A request, with values derived from it. */
type PreparedRequest = { request: PlacementRequest; excluded: ReadonlySet<number>; highest: number };

/**
 * Finds the rejected node that is closest to fitting, as `nearestOf` of decide.ts does. A cell is searched only if its
 * minima allow a node with as few rejections as the nearest so far. Exact shortfalls are computed only for such nodes.
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
  const prepared: PreparedRequest = { request, excluded, highest: Number(request.maxPricePerSecond) };
  nearness.nearest = 0;
  nearness.least = Number.POSITIVE_INFINITY;
  writeLimits(limits, request);
  for (const nodeId of excluded) {
    const node = get(nodeId);
    if (node !== undefined) consider(nearness, nodeId, distanceOf(rejectionsOf(node, request)));
  }
  for (const one of classes.byKey.values()) {
    const rejections = classRejectionsOf(one, request);
    const sum = rejections.reduce((all, { shortfall }) => all + shortfall, 0);
    for (let at = 0; at < bucketCount; at += 1) {
      enterCell(nearness, prepared, one.number * bucketCount + at, rejections.length, sum);
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
  prepared: PreparedRequest,
  cell: number,
  classRejections: number,
  classSum: number,
): void {
  const { cells } = nearness;
  if ((classRejections + leastRejections(nearness, prepared, cell)) * 100 > nearness.least) return;
  const { counts } = cells.blocks;
  for (const block of cells.lists[cell] as number[]) {
    const first = block * blockStride;
    const end = first + (counts[block] as number);
    for (let at = first; at < end; at += 1) considerSlot(nearness, prepared, at, classRejections, classSum);
  }
}

/** Lower bound of the rejections of every node in a cell, without those of its class. */
function leastRejections({ cells, limits }: Nearness, { highest }: PreparedRequest, cell: number): number {
  const start = cell * minimaStride;
  let rejections = (cells.minima[start] as number) > highest ? 1 : 0;
  for (let column = 0; column < limitCount; column += 1) {
    if ((cells.minima[start + limitsAt + column] as number) > (limits[column] as number)) rejections += 1;
  }
  return rejections;
}

function considerSlot(
  nearness: Nearness,
  prepared: PreparedRequest,
  at: number,
  classRejections: number,
  classSum: number,
): void {
  const { cells, limits, least } = nearness;
  const { request, highest } = prepared;
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
  if (rejections * 100 + sum > least || prepared.excluded.has(nodeId)) return;
  const price = rows[at] as number;
  // The exact price shortfall is in millionths. An approximation rules out most nodes before it is computed.
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
