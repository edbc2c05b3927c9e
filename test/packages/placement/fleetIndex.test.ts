import { bestByScan, countRefusals, decide, nearestOf } from "@ngpu/placement/decide";
import { decideByIndex } from "@ngpu/placement/decideByIndex";
import { firstRejection, without } from "@ngpu/placement/filters";
import type { FleetNode, PlacementRequest, Strategy } from "@ngpu/placement/fleet";
import { createFleetIndex, type FleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";
import { anyStrategy, changedNode, fleetNodes, requests } from "./arbitraries.ts";

type Step =
  | { type: "put"; node: FleetNode }
  | { type: "remove"; nodeId: number }
  | { type: "place"; request: PlacementRequest; strategy: Strategy }
  | { type: "give back"; which: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: changedNode.map((node): Step => ({ type: "put", node })) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: 60 }).map((id): Step => ({ type: "remove", nodeId: id })),
    },
    {
      weight: 6,
      arbitrary: fc
        .record({ request: requests, strategy: anyStrategy })
        .map((requested): Step => ({ type: "place", ...requested })),
    },
    { weight: 2, arbitrary: fc.nat().map((which): Step => ({ type: "give back", which })) },
  ),
  { maxLength: 60, size: "max" },
);

/** Makes a node one of a kind that all share, so that a class has more of them than a block holds. */
const alike = (node: FleetNode): FleetNode => ({
  ...node,
  gpuModel: null,
  vramMib: 0,
  computeCapability: 0,
  region: null,
  measured: true,
});

/** The same fleet without an index. */
type Plain = Map<number, FleetNode>;
type Held = { nodeId: number; request: PlacementRequest };

function take(plain: Plain, index: FleetIndex, held: Held[], { nodeId, request }: Held): void {
  const node = plain.get(nodeId);
  if (node === undefined) throw new Error("Only a known node is chosen.");
  const workspaces = [...node.workspaces, request.workspaceId];
  plain.set(nodeId, { ...node, free: without(node.free, request.wanted), workspaces });
  index.reserve(nodeId, request);
  held.push({ nodeId, request });
}

function giveBack(plain: Plain, index: FleetIndex, held: Held[], which: number): void {
  const [one] = held.splice(which % Math.max(1, held.length), 1);
  const node = one === undefined ? undefined : plain.get(one.nodeId);
  if (one === undefined || node === undefined) return;
  const { wanted, workspaceId } = one.request;
  const { free } = node;
  const workspaces = [...node.workspaces];
  workspaces.splice(workspaces.lastIndexOf(workspaceId), 1);
  plain.set(one.nodeId, {
    ...node,
    workspaces,
    free: {
      gpus: free.gpus + wanted.gpus,
      cpuMilli: free.cpuMilli + wanted.cpuMilli,
      memoryMib: free.memoryMib + wanted.memoryMib,
      diskGib: free.diskGib + wanted.diskGib,
      ports: free.ports + wanted.ports,
    },
  });
  index.release(one.nodeId, one.request);
}

/** Runs a history on a fleet and compares each choice with that of brute force. */
function live(nodes: FleetNode[], history: Step[]): [FleetIndex, Plain] {
  const plain: Plain = new Map(nodes.map((node) => [node.nodeId, node]));
  const index = createFleetIndex(nodes);
  let held: Held[] = [];
  for (const step of history) {
    if (step.type === "place") {
      const best = index.best(step.request, step.strategy);
      expect(best).to.equal(bestByScan(plain.values(), step.request, step.strategy)?.nodeId);
      if (best !== undefined) take(plain, index, held, { nodeId: best, request: step.request });
    } else if (step.type === "give back") giveBack(plain, index, held, step.which);
    else {
      const nodeId = step.type === "put" ? step.node.nodeId : step.nodeId;
      held = held.filter((one) => one.nodeId !== nodeId);
      if (step.type === "remove") {
        plain.delete(nodeId);
        index.remove(nodeId);
      } else {
        plain.set(nodeId, step.node);
        index.put(step.node);
      }
    }
  }
  expect(index.size).to.equal(plain.size);
  return [index, plain];
}

describe("match: the index over the fleet", () => {
  it("decides as brute force does, with the same ranking, refusals and nearest miss", () => {
    fc.assert(
      fc.property(fleetNodes(150), requests, anyStrategy, (nodes, request, strategy) => {
        const fleet = { block: { number: 7n, hash: "0x07", time: 1_000 }, nodes };
        const byIndex = decideByIndex(createFleetIndex(nodes), request, strategy);
        expect(byIndex).to.deep.equal(decide(fleet, request, strategy));
      }),
      { numRuns: runs(80) },
    );
  });

  it("chooses as brute force does after any history of updates, reservations and releases", () => {
    const property = fc.property(fleetNodes(120), steps, (nodes, history) => {
      live(nodes, history);
    });
    fc.assert(property, { numRuns: runs(80) });
  });

  it("chooses so when nodes are so alike that they fill many blocks, and empty them again", () => {
    const many = fleetNodes(300).map((nodes) => nodes.map(alike));
    const same = steps.map((history) =>
      history.map((step): Step => (step.type === "put" ? { type: "put", node: alike(step.node) } : step)),
    );
    fc.assert(
      fc.property(many, same, fc.boolean(), (nodes, history, emptied) => {
        const removals = nodes.slice(3).map((node): Step => ({ type: "remove", nodeId: node.nodeId }));
        live(nodes, emptied ? [...history, ...removals, ...history] : history);
      }),
      { numRuns: runs(40) },
    );
  });

  it("accounts for every refused node and names the nearest miss as brute force does, after any history", () => {
    fc.assert(
      fc.property(fleetNodes(120), steps, requests, (nodes, history, request) => {
        const [index, plain] = live(nodes, history);
        const refusals = index.refusals(request);
        expect(refusals).to.deep.equal(countRefusals(plain.values(), request));
        const fitting = [...plain.values()].filter((node) => firstRejection(node, request) === null).length;
        const refused = Object.values(refusals).reduce((sum, count) => sum + count, 0);
        expect(refused + fitting).to.equal(plain.size);
        expect(index.nearest(request)).to.deep.equal(nearestOf(plain.values(), request));
      }),
      { numRuns: runs(80) },
    );
  });

  it("is as it was before when a decision for a later place has been made", () => {
    fc.assert(
      fc.property(fleetNodes(60), requests, anyStrategy, (nodes, request, strategy) => {
        const index = createFleetIndex(nodes);
        const before = structuredClone(
          [...index.nodes()].map(({ free, workspaces }) => ({ free, workspaces })),
        );
        decideByIndex(index, request, strategy);
        expect([...index.nodes()].map(({ free, workspaces }) => ({ free, workspaces }))).to.deep.equal(
          before,
        );
      }),
    );
  });
});
