import type { PlacementRequest } from "../fleet.ts";
import { tieOf } from "../order.ts";
import type { Blocks } from "./blocks.ts";
import type { NodeClass } from "./classes.ts";
import {
  blockSize,
  bucketCount,
  bucketOf,
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

/** Nodes to choose among, by their classes: the class's blocks when there is no set of them. */
export type Choice = Iterable<NodeClass> | ReadonlyMap<NodeClass, ReadonlySet<{ slot: number }>>;

/** The id of the best node; 0 when none fits. */
export type Search = (choice: Choice, blocks: Blocks, sought: Sought) => number;

/** The best node so far, and what its request comes to in columns. */
type State = {
  nodeId: number;
  score: number;
  price: number;
  tie: number;
  highest: number;
  limits: Float64Array;
};

/**
 * A search that keeps its working memory from one call to the next.
 *
 * Classes are entered from the most promising on until one has a node that fits, then in any order; neither a class nor a block
 * is entered whose minima show that it cannot beat the best so far, so nothing is missed (branch and bound).
 */
export function createSearch(): Search {
  const state: State = {
    ...{ nodeId: 0, score: 0, price: 0, tie: 0, highest: 0 },
    limits: new Float64Array(limitCount),
  };
  const open: NodeClass[] = [];
  return (choice, blocks, sought) => {
    begin(state, sought.request);
    const priceAt = bucketOf(sought.request.wanted.gpus);
    const at = sought.column * bucketCount + priceAt;
    const some = "get" in choice ? choice : undefined;
    open.length = 0;
    for (const group of some === undefined ? (choice as Iterable<NodeClass>) : some.keys()) {
      if (group.measured === sought.measured && mayHold(group, sought.request, priceAt, state)) {
        open.push(group);
      }
    }
    while (state.nodeId === 0) {
      const group = takeLeast(open, at, priceAt);
      if (group === undefined) return 0;
      enter(group, some?.get(group), blocks, sought, state);
    }
    for (const group of open) {
      if (!exceeds(group.minima[at] as number, group.minima[priceAt] as number, state)) {
        enter(group, some?.get(group), blocks, sought, state);
      }
    }
    return state.nodeId;
  };
}

function begin(state: State, request: PlacementRequest): void {
  state.nodeId = 0;
  state.score = Number.POSITIVE_INFINITY;
  state.price = Number.POSITIVE_INFINITY;
  state.tie = 0;
  state.highest = Number(request.maxPricePerSecond);
  writeLimits(state.limits, request);
}

function enter(
  group: NodeClass,
  some: ReadonlySet<{ slot: number }> | undefined,
  { rows, minima, counts }: Blocks,
  sought: Sought,
  state: State,
): void {
  if (some !== undefined) {
    for (const { slot } of some) consider(rows, slot * nodeStride, sought, state);
    return;
  }
  const priceAt = bucketOf(sought.request.wanted.gpus);
  const at = sought.column * bucketCount + priceAt;
  for (const block of group.blocks) {
    const start = block * minimaStride;
    const least = minima[start + priceAt] as number;
    if (least > state.highest || exceeds(minima[start + at] as number, least, state)) continue;
    if (!within(minima, start + limitStart, state.limits)) continue;
    const first = block * blockSize * nodeStride;
    const end = first + (counts[block] as number) * nodeStride;
    for (let row = first; row < end; row += nodeStride) consider(rows, row, sought, state);
  }
}

/** Makes the node of a row the best when it fits and comes before the best so far. */
function consider(rows: Float64Array, row: number, sought: Sought, state: State): void {
  const score = rows[row + sought.column] as number;
  const price = rows[row] as number;
  if (price > state.highest || exceeds(score, price, state)) return;
  if (!within(rows, row + scoreCount, state.limits)) return;
  const nodeId = rows[row + idColumn] as number;
  const tie = tieOf(sought.seed, nodeId);
  if (score === state.score && price === state.price) {
    if (tie > state.tie || (tie === state.tie && nodeId > state.nodeId)) return;
  }
  if (!sought.admits(nodeId)) return;
  state.nodeId = nodeId;
  state.score = score;
  state.price = price;
  state.tie = tie;
}

function isOfKind(group: NodeClass, request: PlacementRequest): boolean {
  return (
    (request.gpuModel === null || request.gpuModel === group.gpuModel) &&
    (request.region === null || request.region === group.region) &&
    group.vramMib >= request.minVramMib &&
    group.computeCapability >= request.minComputeCapability
  );
}

function mayHold(group: NodeClass, request: PlacementRequest, priceAt: number, state: State): boolean {
  return (
    isOfKind(group, request) &&
    // Infinite when no node has so many free GPUs; a highest price never is.
    (group.minima[priceAt] as number) <= state.highest &&
    within(group.minima, limitStart, state.limits)
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
