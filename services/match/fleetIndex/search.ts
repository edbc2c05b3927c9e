import type { PlacementRequest } from "../fleet.ts";
import { tieOf } from "../order.ts";
import type { Blocks } from "./blocks.ts";
import type { NodeClass } from "./classes.ts";
import {
  blockSize,
  bucketCount,
  bucketOf,
  gpuColumn,
  idColumn,
  limitCount,
  limitStart,
  minimaStride,
  nodeStride,
  scoreCount,
  writeLimits,
} from "./layout.ts";

/** What is sought: the first node in the order of score, price, tie and id among those of one measured-ness. */
export type Sought = {
  request: PlacementRequest;
  /** Column of the score. */
  column: number;
  seed: number;
  measured: boolean;
  /** Asked only of nodes that would be the best so far; false passes them over. */
  admits: (nodeId: number) => boolean;
};

export type Search = (classes: readonly NodeClass[], blocks: Blocks, sought: Sought) => number;

/**
 * A search that keeps its working memory from one call to the next; it gives the node's id, 0 when none fits.
 *
 * Classes that may hold a better node than the best so far are entered from the most promising on; so are no blocks and
 * rows but those whose minima may beat it, so nothing is missed (branch and bound).
 */
export function createSearch(): Search {
  const limits = new Float64Array(limitCount);
  let open: NodeClass[] = [];
  return (classes, blocks, sought) => {
    const { request, column } = sought;
    const { gpus } = request.wanted;
    const at = column * bucketCount + bucketOf(gpus);
    const priceAt = bucketOf(gpus);
    const highest = Number(request.maxPricePerSecond);
    writeLimits(limits, request);
    open = [];
    for (const group of classes) {
      if (group.measured === sought.measured && mayHold(group, request, priceAt, highest, limits)) {
        open.push(group);
      }
    }
    const best = { nodeId: 0, score: Number.POSITIVE_INFINITY, price: Number.POSITIVE_INFINITY, tie: 0 };
    const { rows, minima, counts } = blocks;
    for (;;) {
      const group = takeLeast(open, at, priceAt);
      if (group === undefined) return best.nodeId;
      if (exceeds(group.minima[at] as number, group.minima[priceAt] as number, best)) return best.nodeId;
      for (const block of group.blocks) {
        const start = block * minimaStride;
        const least = minima[start + priceAt] as number;
        if (least > highest) continue;
        if (exceeds(minima[start + at] as number, least, best)) continue;
        if (!within(minima, start + limitStart, limits)) continue;
        const first = block * blockSize * nodeStride;
        const end = first + (counts[block] as number) * nodeStride;
        for (let row = first; row < end; row += nodeStride) {
          const score = rows[row + column] as number;
          const price = rows[row] as number;
          if (price > highest || (rows[row + gpuColumn] as number) < gpus) continue;
          if (exceeds(score, price, best) || !within(rows, row + scoreCount, limits)) continue;
          const nodeId = rows[row + idColumn] as number;
          const tie = tieOf(sought.seed, nodeId);
          if (score === best.score && price === best.price) {
            if (tie > best.tie || (tie === best.tie && nodeId > best.nodeId)) continue;
          }
          if (!sought.admits(nodeId)) continue;
          best.nodeId = nodeId;
          best.score = score;
          best.price = price;
          best.tie = tie;
        }
      }
    }
  };
}

function mayHold(
  group: NodeClass,
  request: PlacementRequest,
  priceAt: number,
  highest: number,
  limits: Float64Array,
): boolean {
  return (
    (request.gpuModel === null || request.gpuModel === group.gpuModel) &&
    (request.region === null || request.region === group.region) &&
    group.vramMib >= request.minVramMib &&
    group.computeCapability >= request.minComputeCapability &&
    // Infinite when no node has so many free GPUs; a highest price never is.
    (group.minima[priceAt] as number) <= highest &&
    within(group.minima, limitStart, limits)
  );
}

function within(values: Float64Array, start: number, limits: Float64Array): boolean {
  for (let column = 0; column < limitCount; column += 1) {
    if ((values[start + column] as number) > (limits[column] as number)) return false;
  }
  return true;
}

function exceeds(score: number, price: number, best: { score: number; price: number }): boolean {
  return score > best.score || (score === best.score && price > best.price);
}

/** Takes the class of the lowest score, then price, out of those still open. */
function takeLeast(open: NodeClass[], at: number, priceAt: number): NodeClass | undefined {
  let least = 0;
  for (let place = 1; place < open.length; place += 1) {
    const [one, other] = [open[place] as NodeClass, open[least] as NodeClass];
    const [score, lowest] = [one.minima[at] as number, other.minima[at] as number];
    if (score < lowest) least = place;
    else if (score === lowest && (one.minima[priceAt] as number) < (other.minima[priceAt] as number)) {
      least = place;
    }
  }
  const taken = open[least];
  const last = open.pop();
  if (last !== undefined && last !== taken) open[least] = last;
  return taken;
}
