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
  | { type: "release"; which: number };

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
    { weight: 2, arbitrary: fc.nat().map((which): Step => ({ type: "release", which })) },
  ),
  { maxLength: 60, size: "max" },
);

/** Puts all nodes into one class, so that it has more nodes than a block holds. */
const alike = (node: FleetNode): FleetNode => ({
  ...node,
  gpuModel: null,
  vramMib: 0,
  computeCapability: 0,
  region: null,
  measured: true,
});

/** The same fleet without an index, as the reference. */
type Plain = Map<number, FleetNode>;
type Held = { nodeId: number; request: PlacementRequest };

function take(plain: Plain, index: FleetIndex, held: Held[], { nodeId, request }: Held): void {
  const node = plain.get(nodeId);
  if (node === undefined) throw new Error("The index chose an unknown node.");
  const workspaces = [...node.workspaces, request.workspaceId];
  plain.set(nodeId, { ...node, free: without(node.free, request.wanted), workspaces });
  index.reserve(nodeId, request);
  held.push({ nodeId, request });
}

function release(plain: Plain, index: FleetIndex, held: Held[], which: number): void {
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

/** Applies a history to the index and the reference, and compares each choice. */
function applyHistory(nodes: FleetNode[], history: Step[]): [FleetIndex, Plain] {
  const plain: Plain = new Map(nodes.map((node) => [node.nodeId, node]));
  const index = createFleetIndex(nodes);
  let held: Held[] = [];
  for (const step of history) {
    if (step.type === "place") {
      const best = index.best(step.request, step.strategy);
      expect(best).to.equal(bestByScan(plain.values(), step.request, step.strategy)?.nodeId);
      if (best !== undefined) take(plain, index, held, { nodeId: best, request: step.request });
    } else if (step.type === "release") release(plain, index, held, step.which);
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

describe("placement: fleet index", () => {
  it("makes the same decisions as the reference: ranking, rejections and nearest node", () => {
    fc.assert(
      fc.property(fleetNodes(150), requests, anyStrategy, (nodes, request, strategy) => {
        const fleet = { block: { number: 7n, hash: "0x07", time: 1_000 }, nodes };
        const byIndex = decideByIndex(createFleetIndex(nodes), request, strategy);
        expect(byIndex).to.deep.equal(decide(fleet, request, strategy));
      }),
      { numRuns: runs(80) },
    );
  });

  it("chooses the same node as the reference after any history of updates, reservations and releases", () => {
    const property = fc.property(fleetNodes(120), steps, (nodes, history) => {
      applyHistory(nodes, history);
    });
    fc.assert(property, { numRuns: runs(80) });
  });

  it("chooses the same node as the reference when a class fills and empties many blocks", () => {
    const many = fleetNodes(300).map((nodes) => nodes.map(alike));
    const same = steps.map((history) =>
      history.map((step): Step => (step.type === "put" ? { type: "put", node: alike(step.node) } : step)),
    );
    fc.assert(
      fc.property(many, same, fc.boolean(), (nodes, history, emptied) => {
        const removals = nodes.slice(3).map((node): Step => ({ type: "remove", nodeId: node.nodeId }));
        applyHistory(nodes, emptied ? [...history, ...removals, ...history] : history);
      }),
      { numRuns: runs(40) },
    );
  });

  it("counts the same rejections and finds the same nearest node as the reference after any history", () => {
    fc.assert(
      fc.property(fleetNodes(120), steps, requests, (nodes, history, request) => {
        const [index, plain] = applyHistory(nodes, history);
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

  it("is unchanged after a decision for a later position", () => {
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
