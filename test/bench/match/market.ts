import type { FleetNode, PlacementRequest } from "@ngpu/placement/fleet";
import { createFleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { strategies } from "../../../packages/placement/strategies/all.ts";
import { scanFast } from "./bruteForce.ts";
import { drawChanges, drawFleet } from "./fleet.ts";
import { createLatency, type Latency } from "./latency.ts";
import { createRandom } from "./random.ts";
import { type Asked, drawFromPool, drawPool } from "./requests.ts";

export type MarketOptions = {
  nodes: number;
  seed: number;
  churnPerSecond: number;
  depletion: number;
  steadySeconds: number;
};

export type EngineResult = { latency: Latency; placed: number; refused: number };

export type MarketResult = {
  index: EngineResult & { seconds: number; updates: number; depletion: number; steadyPerSecond: number };
  bruteForce: EngineResult;
  /** The largest share of nodes that fits a request, per quartile of the pool. */
  shares: number[];
  /** The fleet at the start and at the end, with requests, to run other engines on. */
  states: { name: string; nodes: FleetNode[]; requested: Asked[] }[];
};

/** Number of states at which brute force runs, and of requests at each. All results are compared with the index. */
const scansEach = { states: 20, requests: 12 };

/**
 * Fills an empty fleet until `depletion` of its GPUs are reserved, then releases the oldest replica for each new one. Nodes
 * change all the time. The time of a change counts for the next decision.
 */
export function runMarket(options: MarketOptions): MarketResult {
  const random = createRandom(options.seed);
  const fleet = drawFleet(random, options.nodes);
  const pool = drawPool(random, fleet);
  const index = createFleetIndex(fleet);
  const nodes = [...index.nodes()];
  const usual = fleet.map((node) => Number(node.pricePerSecond) * 3_600e-18);
  const allGpus = fleet.reduce((sum, node) => sum + node.total.gpus, 0);
  const states = [{ name: "empty", nodes: copied(fleet), requested: drawMany() }];
  const latency = createLatency();
  const scans: EngineResult = { latency: createLatency(), placed: 0, refused: 0 };
  const held: { nodeId: number; request: PlacementRequest }[] = [];
  let oldest = 0;
  let taken = 0;
  let placed = 0;
  let refused = 0;
  let updates = 0;
  // Time spent in the index, ms. Brute force does not count.
  let busy = 0;
  let workspaces = 1_000_000n;
  let nextScan = 0;

  function drawMany(): Asked[] {
    const own = createRandom(options.seed + 1);
    return Array.from({ length: 5_000 }, (_, at) => drawFromPool(own, pool, 5_000_000n + BigInt(at)));
  }
  const change = () => {
    const nodeId = 1 + random.under(options.nodes);
    const node = index.get(nodeId);
    if (node !== undefined) index.put({ ...node, ...drawChanges(random, usual[nodeId - 1] ?? 1) });
    updates += 1;
  };
  const releaseOldest = () => {
    const one = held[oldest];
    if (one === undefined) return;
    oldest += 1;
    index.release(one.nodeId, one.request);
    taken -= one.request.wanted.gpus;
  };
  const answer = (requested: Asked, steady: boolean) => {
    const start = performance.now();
    const due = ((busy / 1_000) * options.churnPerSecond) | 0;
    while (updates < due) change();
    const nodeId = index.best(requested.request, strategies[requested.strategy]);
    if (nodeId === undefined) refused += 1;
    else {
      index.reserve(nodeId, requested.request);
      held.push({ nodeId, request: requested.request });
      taken += requested.request.wanted.gpus;
      placed += 1;
      while (steady && taken > allGpus * options.depletion) releaseOldest();
    }
    const time = performance.now() - start;
    busy += time;
    latency.add(time * 1_000);
  };
  const ask = (steady: boolean) => {
    workspaces += 1n;
    const requested = drawFromPool(random, pool, workspaces);
    for (let replica = 0; replica < requested.replicas; replica += 1) answer(requested, steady);
  };
  const scan = () => {
    const current = [...index.nodes()];
    for (let at = 0; at < scansEach.requests; at += 1) {
      workspaces += 1n;
      const { request, strategy } = drawFromPool(random, pool, workspaces);
      const start = performance.now();
      const found = scanFast(current, request, strategies[strategy]);
      scans.latency.add((performance.now() - start) * 1_000);
      const byIndex = index.best(request, strategies[strategy]);
      if (found?.nodeId !== byIndex) {
        throw new Error(`Brute force chose ${found?.nodeId}, the index ${byIndex} (seed ${options.seed}).`);
      }
      if (found === undefined) scans.refused += 1;
      else scans.placed += 1;
    }
  };

  const goal = allGpus * options.depletion;
  const mostAnswers = 40 * options.nodes;
  while (taken < goal && latency.count < mostAnswers) {
    ask(false);
    if (taken / goal >= nextScan / scansEach.states) {
      scan();
      nextScan += 1;
    }
  }
  const depletion = taken / allGpus;
  const atFull = busy;
  const placedAtFull = placed;
  while (busy - atFull < options.steadySeconds * 1_000) ask(true);
  scan();
  states.push({
    name: "depleted",
    nodes: copied(nodes.map(({ nodeId }) => index.get(nodeId) as FleetNode)),
    requested: drawMany(),
  });
  return {
    index: {
      latency,
      placed,
      refused,
      updates,
      depletion,
      seconds: busy / 1_000,
      steadyPerSecond: (placed - placedAtFull) / ((busy - atFull) / 1_000),
    },
    bruteForce: scans,
    shares: pool.shares,
    states,
  };
}

function copied(nodes: readonly FleetNode[]): FleetNode[] {
  return nodes.map((node) => ({ ...node, free: { ...node.free }, workspaces: [...node.workspaces] }));
}
