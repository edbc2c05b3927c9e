import type { explanationRequest, PlacementExplanation } from "@ngpu/protocol/placement/request";
import type { z } from "zod";
import { explanationMessages } from "./explanationMessages.ts";
import { firstRejection } from "./filters.ts";
import type { FleetBlock, FleetNode, PlacementRequest } from "./fleet.ts";
import type { FleetIndex } from "./fleetIndex/fleetIndex.ts";
import { requestOf, strategyOf } from "./preferences.ts";
import { strategies } from "./strategies/all.ts";

/** Above any price on the chain, in token units (1e-18) a second. */
const anyPrice = 2n ** 64n;

/** Explains where a workspace could be placed now and which filters reject nodes. The index is unchanged afterwards. */
export function explain(
  { block, index }: { block: FleetBlock; index: FleetIndex },
  question: z.output<typeof explanationRequest>,
): PlacementExplanation {
  const { preferences, replicas, ...requested } = question;
  const request = { ...requested, ...requestOf(preferences), workspaceId: 0n, position: 0, excluded: [] };
  const strategy = strategyOf(preferences);
  const refused = index.refusals(request);
  const total = Object.values(refused).reduce((sum, count) => sum + count, 0);
  const fitting = index.size - total;
  const at = (nodeId: number | undefined) => {
    const node = nodeId === undefined ? undefined : index.get(nodeId);
    return node === undefined
      ? null
      : { nodeId: node.nodeId, pricePerSecond: node.pricePerSecond.toString() };
  };
  const facts = {
    block: { number: block.number.toString(), hash: block.hash },
    nodes: index.size,
    fitting,
    placeable: countPlaceable(index, request, replicas, (one) => index.best(one, strategy)),
    possible: fitting > 0 || index.size === 0 || wouldFit(index.nodes(), request),
    chosen: at(fitting === 0 ? undefined : index.best(request, strategy)),
    refused,
    nearest: index.nearest(request),
    cheapest: at(index.best({ ...request, maxPricePerSecond: anyPrice }, strategies.cheapest)),
  };
  // Nodes of a market are many: they are looked through only when none can run it.
  const lowestPrice = facts.possible ? null : lowestPriceOf(index.nodes(), request);
  return { ...facts, lowestPrice, messages: explanationMessages(facts, request, replicas) };
}

function countPlaceable(
  index: FleetIndex,
  request: PlacementRequest,
  replicas: number,
  best: (request: PlacementRequest) => number | undefined,
): number {
  const reserved: number[] = [];
  try {
    while (reserved.length < replicas) {
      const nodeId = best(request);
      if (nodeId === undefined) break;
      index.reserve(nodeId, request);
      reserved.push(nodeId);
    }
    return reserved.length;
  } finally {
    for (const nodeId of reserved.reverse()) index.release(nodeId, request);
  }
}

/** Whether any node could take a replica if it were online and empty. */
function wouldFit(nodes: Iterable<FleetNode>, request: PlacementRequest): boolean {
  for (const node of nodes) {
    if (firstRejection({ ...node, status: "online", free: node.total }, request) === null) return true;
  }
  return false;
}

/** The lowest price of the nodes that could take a replica if they were online and empty; null: none could at any price. */
function lowestPriceOf(nodes: Iterable<FleetNode>, request: PlacementRequest): string | null {
  let lowest: bigint | undefined;
  for (const node of nodes) {
    if (lowest !== undefined && node.pricePerSecond >= lowest) continue;
    const empty: FleetNode = { ...node, status: "online", free: node.total };
    if (firstRejection(empty, { ...request, maxPricePerSecond: anyPrice }) === null)
      lowest = node.pricePerSecond;
  }
  return lowest?.toString() ?? null;
}
