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

/**
 * Finds the refused node that lacks the least, as `nearestOf` of decide.ts does. A cell is entered only if its minima allow a node
 * with as few misses as the nearest so far, and a shortfall is summed up only for such nodes.
 */
export function createNearest({
  classes,
  cells,
  get,
}: IndexedNodes): (request: PlacementRequest) => Nearest | null {
  const limits = new Float64Array(limitCount);
  let request: PlacementRequest;
  let excluded: ReadonlySet<number>;
  let highest = 0;
  let nearest = 0;
  let least = Number.POSITIVE_INFINITY;

  function consider(nodeId: number, distance: number): void {
    if (distance > least || (distance === least && nodeId > nearest)) return;
    nearest = nodeId;
    least = distance;
  }
  /** What every node of a cell misses at least, beside its kind. */
  function missesIn(cell: number): number {
    const start = cell * minimaStride;
    let misses = (cells.minima[start] as number) > highest ? 1 : 0;
    for (let column = 0; column < limitCount; column += 1) {
      if ((cells.minima[start + limitsAt + column] as number) > (limits[column] as number)) misses += 1;
    }
    return misses;
  }
  function look(at: number, kindMisses: number, kindSum: number): void {
    const { rows } = cells.blocks;
    let [misses, sum] = [kindMisses, kindSum];
    for (let column = 0; column < limitCount; column += 1) {
      const has = rows[at + (scoreCount + column) * blockSize] as number;
      const limit = limits[column] as number;
      if (has <= limit) continue;
      misses += 1;
      sum += 1 - (column === latencyColumn ? limit / has : has / limit);
    }
    const nodeId = rows[at + idColumn * blockSize] as number;
    if (misses * 100 + sum > least || excluded.has(nodeId)) return;
    const price = rows[at] as number;
    // Misses are compared by millionths of the price; a rough figure rules most nodes out before.
    if (price > highest && (misses + 1) * 100 + sum + 1 - highest / price - roughly > least) return;
    const node = get(nodeId) as FleetNode;
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
    if (misses > 0) consider(nodeId, misses * 100 + sum);
  }
  function enter(cell: number, kindMisses: number, kindSum: number): void {
    if ((kindMisses + missesIn(cell)) * 100 > least) return;
    const { counts } = cells.blocks;
    for (const block of cells.lists[cell] as number[]) {
      const first = block * blockStride;
      const end = first + (counts[block] as number);
      for (let at = first; at < end; at += 1) look(at, kindMisses, kindSum);
    }
  }

  return (given) => {
    request = given;
    excluded = new Set(given.excluded);
    highest = Number(given.maxPricePerSecond);
    nearest = 0;
    least = Number.POSITIVE_INFINITY;
    writeLimits(limits, given);
    for (const nodeId of excluded) {
      const node = get(nodeId);
      if (node !== undefined) consider(nodeId, distanceOf(missesOf(node, given)));
    }
    for (const one of classes.byKey.values()) {
      const kind = kindMissesOf(one, given);
      const sum = kind.reduce((all, { shortfall }) => all + shortfall, 0);
      for (let at = 0; at < bucketCount; at += 1) enter(one.number * bucketCount + at, kind.length, sum);
    }
    const node = get(nearest);
    return node === undefined ? null : { nodeId: nearest, misses: missesOf(node, given) };
  };
}
