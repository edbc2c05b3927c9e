import { acceptsModel } from "../filters.ts";
import type { PlacementRequest } from "../fleet.ts";
import { tieOf } from "../ranking.ts";
import { kindOf, type NodeClass } from "./classes.ts";
import type { Holders } from "./images.ts";
import {
  blockSize,
  blockStride,
  bucketCount,
  idColumn,
  limitCount,
  limitsAt,
  minimaStride,
  scoreCount,
  slotStart,
} from "./layout.ts";
import { highestAt, priceAt, type Search, type SearchQuery, scoreAt, tieAt } from "./searchMemory.ts";

/**
 * Searches all measured nodes, or all unmeasured ones.
 *
 * @returns the best node since `beginSearch`; 0 when none fits
 */
export function searchAll(search: Search, query: SearchQuery, measured: boolean): number {
  search.bits = null;
  return searchCells(search, query, measured);
}

/**
 * Searches the measured or unmeasured nodes that have an image.
 *
 * @returns the best node since `beginSearch`; 0 when none fits
 */
export function searchHolders(
  search: Search,
  query: SearchQuery,
  holders: Holders,
  measured: boolean,
): number {
  const { classes, places, bucket } = search;
  if (holders.ids === null) {
    search.bits = holders.bits;
    return searchCells(search, query, measured);
  }
  search.bits = null;
  const { request } = query;
  for (const id of holders.ids) {
    const cell = places.cells[id] as number;
    if (cell % bucketCount < bucket) continue;
    const own = classes.all[(cell / bucketCount) | 0] as NodeClass;
    if (own.measured === measured && serves(own, request))
      consider(search, query, slotStart(places.slots[id] as number));
  }
  return search.nodeId;
}

/**
 * Branch and bound over the cells of the classes that can serve the request. A cell or block is skipped if its minima show
 * that none of its nodes fits or ranks before the best so far.
 */
function searchCells(search: Search, query: SearchQuery, measured: boolean): number {
  const { classes, cells, best, bucket } = search;
  const { request, column } = query;
  const kind = kindOf(classes, request);
  const numbers = measured ? kind.measured : kind.unmeasured;
  const { vramMib, computeCapability } = classes;
  const { minVramMib, minComputeCapability } = request;
  const scores = cells.scores[column] as Float64Array;
  const prices = cells.prices[column] as Float64Array;
  for (let index = 0; index < numbers.length; index += 1) {
    const number = numbers[index] as number;
    if ((vramMib[number] as number) < minVramMib) continue;
    if ((computeCapability[number] as number) < minComputeCapability) continue;
    const first = number * bucketCount + bucket;
    const score = scores[first] as number;
    if (score > (best[scoreAt] as number) || isWorse(best, score, prices[first] as number)) continue;
    const end = (number + 1) * bucketCount;
    for (let cell = first; cell < end; cell += 1) enterCell(search, query, cell);
  }
  return search.nodeId;
}

function enterCell(search: Search, query: SearchQuery, cell: number): void {
  const { best, cells } = search;
  const { blocks, minima } = cells;
  const from = cell * minimaStride;
  const least = from + 2 * query.column;
  if (isWorse(best, minima[least] as number, minima[least + 1] as number)) return;
  if (!admitsAny(search, minima, from)) return;
  const list = cells.lists[cell] as number[];
  for (let index = 0; index < list.length; index += 1) {
    const block = list[index] as number;
    if (list.length > 1) {
      const start = block * minimaStride;
      const at = start + 2 * query.column;
      if (isWorse(best, blocks.minima[at] as number, blocks.minima[at + 1] as number)) continue;
      if (!admitsAny(search, blocks.minima, start)) continue;
    }
    const first = block * blockStride;
    const end = first + (blocks.counts[block] as number);
    for (let at = first; at < end; at += 1) consider(search, query, at);
  }
}

/** Whether the minima allow a node within all limits. */
function admitsAny({ best, limits }: Search, minima: Float64Array, start: number): boolean {
  if ((minima[start] as number) > (best[highestAt] as number)) return false;
  for (let at = 0; at < limitCount; at += 1) {
    if ((minima[start + limitsAt + at] as number) > (limits[at] as number)) return false;
  }
  return true;
}

function isWorse(best: Float64Array, score: number, price: number): boolean {
  const least = best[scoreAt] as number;
  return score > least || (score === least && price > (best[priceAt] as number));
}

/** Makes the node of a slot the best if it fits and ranks before the best so far. */
function consider(search: Search, query: SearchQuery, at: number): void {
  const { best, rows } = search;
  const score = rows[at + query.column * blockSize] as number;
  const least = best[scoreAt] as number;
  if (score > least) return;
  const price = rows[at] as number;
  if (price > (best[highestAt] as number)) return;
  const equal = score === least;
  if (equal && price > (best[priceAt] as number)) return;
  const { active, activeCount, limits } = search;
  for (let index = 0; index < activeCount; index += 1) {
    const column = active[index] as number;
    if ((rows[at + (scoreCount + column) * blockSize] as number) > (limits[column] as number)) return;
  }
  const id = rows[at + idColumn * blockSize] as number;
  const { bits, nodeId } = search;
  if (bits !== null && (((bits[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 0) return;
  const tie = tieOf(query.seed, id);
  if (equal && price === best[priceAt] && nodeId !== 0) {
    const known = best[tieAt] as number;
    if (tie > known || (tie === known && id > nodeId)) return;
  }
  if (!query.admits(id)) return;
  search.nodeId = id;
  best[scoreAt] = score;
  best[priceAt] = price;
  best[tieAt] = tie;
}

/** Whether the nodes of a class pass the class filters of a request. */
export function serves(one: NodeClass, request: PlacementRequest): boolean {
  return (
    acceptsModel(request, one.gpuModel) &&
    (request.region === null || request.region === one.region) &&
    one.vramMib >= request.minVramMib &&
    one.computeCapability >= request.minComputeCapability &&
    one.status === "online"
  );
}
