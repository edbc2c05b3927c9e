import type { PlacementRequest } from "../fleet.ts";
import { tieOf } from "../order.ts";
import type { Cells } from "./cells.ts";
import { type Classes, kindOf, type NodeClass } from "./classes.ts";
import type { Holders } from "./images.ts";
import {
  blockSize,
  blockStride,
  bucketCount,
  bucketOf,
  idColumn,
  limitCount,
  limited,
  limitsAt,
  minimaStride,
  scoreCount,
  slotStart,
  writeLimits,
} from "./layout.ts";

/** What is sought: the first node in the order of score, price, tie and id. */
export type Sought = {
  request: PlacementRequest;
  /** Column of the score. */
  column: number;
  seed: number;
  /** Asked only of nodes that would be the best so far; false passes them over. */
  admits: (nodeId: number) => boolean;
};

/** Where nodes lie, by their ids. */
export type Places = { cells: Int32Array; slots: Int32Array };

/** Searches for the best node; 0 when none fits. Working memory is kept from one search to the next. */
export type Search = {
  begin(sought: Sought): void;
  /** Among all nodes of one measured-ness. */
  among(measured: boolean): number;
  /** Among those that have an image. */
  amongHolders(holders: Holders, measured: boolean): number;
};

/** Places in `best`. */
const [scoreAt, priceAt, tieAt, highestAt] = [0, 1, 2, 3];

/**
 * Runs along the cells of the classes that can serve the request. No cell and no block is entered whose minima show that it
 * has no node that fits or none that beats the best so far, so nothing is missed (branch and bound).
 */
export function createSearch(classes: Classes, cells: Cells, places: Places): Search {
  const best = new Float64Array(4);
  const limits = new Float64Array(limitCount);
  /** Offsets of the limited columns that the request asks something of, the others need no look. */
  const active = new Int32Array(limitCount);
  let activeCount = 0;
  let nodeId = 0;
  let bucket = 0;
  let sought: Sought;
  let rows = cells.blocks.rows;
  /** Null, or one bit for each node that is to be looked at. */
  let bits: Uint32Array | null = null;

  function entered(minima: Float64Array, start: number): boolean {
    if ((minima[start] as number) > (best[highestAt] as number)) return false;
    for (let at = 0; at < limitCount; at += 1) {
      if ((minima[start + limitsAt + at] as number) > (limits[at] as number)) return false;
    }
    return true;
  }
  /** Makes the node of a slot the best when it fits and comes before the best so far. */
  function consider(at: number): void {
    const score = rows[at + sought.column * blockSize] as number;
    const least = best[scoreAt] as number;
    if (score > least) return;
    const price = rows[at] as number;
    if (price > (best[highestAt] as number)) return;
    const equal = score === least;
    if (equal && price > (best[priceAt] as number)) return;
    for (let index = 0; index < activeCount; index += 1) {
      const column = active[index] as number;
      if ((rows[at + (scoreCount + column) * blockSize] as number) > (limits[column] as number)) return;
    }
    const id = rows[at + idColumn * blockSize] as number;
    if (bits !== null && (((bits[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 0) return;
    const tie = tieOf(sought.seed, id);
    if (equal && price === best[priceAt] && nodeId !== 0) {
      const known = best[tieAt] as number;
      if (tie > known || (tie === known && id > nodeId)) return;
    }
    if (!sought.admits(id)) return;
    nodeId = id;
    best[scoreAt] = score;
    best[priceAt] = price;
    best[tieAt] = tie;
  }
  function beaten(score: number, price: number): boolean {
    const least = best[scoreAt] as number;
    return score > least || (score === least && price > (best[priceAt] as number));
  }
  function enter(cell: number): void {
    const { blocks, minima } = cells;
    const from = cell * minimaStride;
    const least = from + 2 * sought.column;
    if (beaten(minima[least] as number, minima[least + 1] as number) || !entered(minima, from)) return;
    const list = cells.lists[cell] as number[];
    for (let index = 0; index < list.length; index += 1) {
      const block = list[index] as number;
      if (list.length > 1) {
        const start = block * minimaStride;
        const at = start + 2 * sought.column;
        if (beaten(blocks.minima[at] as number, blocks.minima[at + 1] as number)) continue;
        if (!entered(blocks.minima, start)) continue;
      }
      const first = block * blockStride;
      const end = first + (blocks.counts[block] as number);
      for (let at = first; at < end; at += 1) consider(at);
    }
  }

  function among(measured: boolean): number {
    const { request, column } = sought;
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
      if (score > (best[scoreAt] as number) || beaten(score, prices[first] as number)) continue;
      const end = (number + 1) * bucketCount;
      for (let cell = first; cell < end; cell += 1) enter(cell);
    }
    return nodeId;
  }

  return {
    begin(given) {
      sought = given;
      const { request } = given;
      rows = cells.blocks.rows;
      nodeId = 0;
      bits = null;
      best[scoreAt] = Number.MAX_VALUE;
      best[priceAt] = Number.MAX_VALUE;
      best[highestAt] = Number(request.maxPricePerSecond);
      writeLimits(limits, request);
      bucket = bucketOf(request.wanted.gpus);
      activeCount = 0;
      for (let column = 0; column < limitCount; column += 1) {
        const limit = limits[column] as number;
        if (!always(column, limit)) active[activeCount++] = column;
      }
    },
    among(measured) {
      bits = null;
      return among(measured);
    },
    amongHolders(holders, measured) {
      if (holders.ids === null) {
        bits = holders.bits;
        return among(measured);
      }
      bits = null;
      const { request } = sought;
      for (const id of holders.ids) {
        const cell = places.cells[id] as number;
        if (cell % bucketCount < bucket) continue;
        const own = classes.all[(cell / bucketCount) | 0] as NodeClass;
        if (own.measured === measured && serves(own, request))
          consider(slotStart(places.slots[id] as number));
      }
      return nodeId;
    },
  };
}

const uptimeColumn = limited.indexOf("uptimePermille");
const latencyColumn = limited.indexOf("latencyTenthMs");

/** Whether every node is within a limit. What is free may be below zero: a node may offer less than it gave away. */
function always(column: number, limit: number): boolean {
  if (column < uptimeColumn) return false;
  return column === latencyColumn ? limit === Number.POSITIVE_INFINITY : limit >= 0;
}

/** Whether a class is of the kind that a request names. */
export function serves(one: NodeClass, request: PlacementRequest): boolean {
  return (
    (request.gpuModel === null || request.gpuModel === one.gpuModel) &&
    (request.region === null || request.region === one.region) &&
    one.vramMib >= request.minVramMib &&
    one.computeCapability >= request.minComputeCapability &&
    one.status === "online"
  );
}
