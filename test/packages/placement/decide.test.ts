import { decide } from "@ngpu/placement/decide";
import {
  capacityDimensions,
  type Fleet,
  type FleetNode,
  type PlacementRequest,
  type Strategy,
} from "@ngpu/placement/fleet";
import { requestOf } from "@ngpu/placement/preferences";
import { expect } from "chai";
import fc from "fast-check";
import { strategies } from "../../../packages/placement/strategies/all.ts";
import { anyStrategy, fleets, requests } from "./arbitraries.ts";
import { machine } from "./machine.ts";

/** An independent implementation of the filters. */
function fits(one: FleetNode, request: PlacementRequest): boolean {
  return (
    !request.excluded.includes(one.nodeId) &&
    one.status === "online" &&
    (request.gpuModel === null || request.gpuModel === one.gpuModel) &&
    (request.gpuModels?.includes(one.gpuModel ?? "") ?? true) &&
    one.vramMib >= request.minVramMib &&
    one.computeCapability >= request.minComputeCapability &&
    (request.region === null || request.region === one.region) &&
    capacityDimensions.every((dimension) => one.free[dimension] >= request.wanted[dimension]) &&
    one.uptimePermille >= request.minUptimePermille &&
    one.downMbps >= request.minDownMbps &&
    one.upMbps >= request.minUpMbps &&
    (request.maxLatencyTenthMs === null ||
      (one.latencyTenthMs !== null && one.latencyTenthMs <= request.maxLatencyTenthMs)) &&
    (request.imageAffinity !== "require" || one.images.has(request.image)) &&
    one.pricePerSecond <= request.maxPricePerSecond
  );
}

/** An independent implementation of the ranking: compares all pairs. */
function bruteForce(nodes: FleetNode[], request: PlacementRequest, strategy: Strategy): number | undefined {
  const replicas = (one: FleetNode) => one.workspaces.filter((id) => id === request.workspaceId).length;
  const beats = (a: FleetNode, b: FleetNode): boolean | "tie" => {
    if (replicas(a) !== replicas(b)) return replicas(a) < replicas(b) === (request.replicas === "spread");
    if (a.measured !== b.measured) return a.measured;
    if (strategy.imageFirst === true || request.imageAffinity === "prefer") {
      const first = a.images.has(request.image);
      const second = b.images.has(request.image);
      if (first !== second) return first;
    }
    const first = strategy.score(a);
    const second = strategy.score(b);
    if (first !== second) return first < second;
    const one = Number(a.pricePerSecond);
    const other = Number(b.pricePerSecond);
    return one === other ? "tie" : one < other;
  };
  const fitting = nodes.filter((one) => fits(one, request));
  const best = fitting.filter((one) => fitting.every((other) => beats(other, one) !== true));
  // Any of equal nodes is correct here; `decide` breaks ties by a hash.
  const chosen = decide(
    { block: { number: 7n, hash: "0x07", time: 1_000 }, nodes },
    { ...request, position: 0 },
    strategy,
  );
  if (best.length === 0) return undefined;
  expect(chosen.type).to.equal("placed");
  if (chosen.type !== "placed") return undefined;
  expect(best.map((one) => one.nodeId)).to.include(chosen.nodeId);
  return chosen.nodeId;
}

function taken(one: FleetNode, request: PlacementRequest): FleetNode {
  const free = Object.fromEntries(
    capacityDimensions.map((dimension) => [dimension, one.free[dimension] - request.wanted[dimension]]),
  ) as FleetNode["free"];
  return { ...one, free, workspaces: [...one.workspaces, request.workspaceId] };
}

describe("placement: decisions", () => {
  it("chooses the best node, and none only when no node fits", () => {
    fc.assert(
      fc.property(fleets, requests, anyStrategy, (fleet, request, strategy) => {
        let nodes = [...fleet.nodes];
        for (let position = 0; position < request.position; position += 1) {
          const best = bruteForce(nodes, request, strategy);
          nodes = nodes.map((one) => (one.nodeId === best ? taken(one, request) : one));
        }
        const expected = bruteForce(nodes, request, strategy);
        const decision = decide(fleet, request, strategy);
        expect(decision.type === "placed" ? decision.nodeId : undefined).to.equal(expected);
      }),
    );
  });

  it("counts every node that does not fit as rejected", () => {
    fc.assert(
      fc.property(fleets, requests, (fleet, given) => {
        const request = { ...given, position: 0 };
        const decision = decide(fleet, request, strategies.cheapest);
        const refused = Object.values(decision.refusals).reduce((sum, count) => sum + count, 0);
        expect(refused).to.equal(fleet.nodes.filter((one) => !fits(one, request)).length);
      }),
    );
  });

  it("does not depend on the order of the nodes", () => {
    fc.assert(
      fc.property(fleets, requests, anyStrategy, (fleet, request, strategy) => {
        const reversed = { ...fleet, nodes: [...fleet.nodes].reverse() };
        const one = decide(fleet, request, strategy);
        const other = decide(reversed, request, strategy);
        expect(one.type).to.equal(other.type);
        if (one.type === "placed" && other.type === "placed") {
          expect(one.ranking).to.deep.equal(other.ranking);
        }
      }),
    );
  });

  it("lists all rejections of the nearest node", () => {
    const far = machine(1, { pricePerSecond: 50n, vramMib: 0 });
    const near = machine(2, { pricePerSecond: 42n });
    const decision = decide(
      fleetOf(far, near),
      ask({ maxPricePerSecond: 40n, minVramMib: 81_920 }),
      strategies.cheapest,
    );
    expect(decision).to.deep.equal({
      type: "impossible",
      refusals: { price: 1, vramMib: 1 },
      nearest: {
        nodeId: 2,
        rejections: [{ dimension: "price", wanted: "40", has: "42", shortfall: 0.047619 }],
      },
    });
  });

  it("spreads replicas that are placed at the same state", () => {
    const fleet = fleetOf(machine(1, { pricePerSecond: 1n }), machine(2), machine(3));
    const chosen = [0, 1, 2].map((position) => {
      const decision = decide(fleet, ask({ position }), strategies.cheapest);
      return decision.type === "placed" ? decision.nodeId : undefined;
    });
    expect(chosen[0]).to.equal(1);
    expect(new Set(chosen)).to.deep.equal(new Set([1, 2, 3]));
  });

  it("prefers measured nodes to cheaper unmeasured ones", () => {
    const fleet = fleetOf(machine(1, { pricePerSecond: 1n, measured: false }), machine(2));
    expect(decide(fleet, ask(), strategies.cheapest)).to.include({ type: "placed", nodeId: 2 });
  });

  it("prefers nodes with the image under the strategy locality", () => {
    const fleet = fleetOf(machine(1, { pricePerSecond: 1n }), machine(2, { images: new Set(["0xaa"]) }));
    expect(decide(fleet, ask(), strategies.locality)).to.include({ nodeId: 2 });
    expect(decide(fleet, ask(), strategies.cheapest)).to.include({ nodeId: 1 });
  });

  it("packs replicas on one node on request", () => {
    const fleet = fleetOf(machine(1, { pricePerSecond: 1n }), machine(2, { workspaces: [1n] }));
    expect(decide(fleet, ask({ replicas: "pack" }), strategies.cheapest)).to.include({ nodeId: 2 });
    expect(decide(fleet, ask(), strategies.cheapest)).to.include({ nodeId: 1 });
  });

  it("chooses the node with the fewest missed heartbeats, and the cheaper one among equals", () => {
    const fleet = fleetOf(machine(1, { uptimePermille: 980, pricePerSecond: 1n }), machine(2), machine(3));
    const cheaper = fleetOf(...fleet.nodes, machine(4, { pricePerSecond: 9n }));
    expect(decide(cheaper, ask(), strategies.mostReliable)).to.include({ nodeId: 4 });
  });

  it("fills small nodes under bestFit and spreads load under leastUsed", () => {
    const small = machine(1, { free: { gpus: 1, cpuMilli: 2_000, memoryMib: 2_000, diskGib: 20, ports: 2 } });
    const large = machine(2);
    expect(decide(fleetOf(small, large), ask(), strategies.bestFit)).to.include({ nodeId: 1 });
    expect(decide(fleetOf(small, large), ask(), strategies.leastUsed)).to.include({ nodeId: 2 });
  });
});

function fleetOf(...nodes: FleetNode[]): Fleet {
  return { block: { number: 7n, hash: "0x07", time: 1_000 }, nodes };
}

function ask(given: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    ...requestOf({}),
    workspaceId: 1n,
    position: 0,
    excluded: [],
    image: "0xaa",
    gpuModel: null,
    minVramMib: 0,
    minComputeCapability: 0,
    region: null,
    maxPricePerSecond: 1_000n,
    wanted: { gpus: 1, cpuMilli: 1_000, memoryMib: 1_000, diskGib: 10, ports: 1 },
    ...given,
  };
}
