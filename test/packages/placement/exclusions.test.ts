import { decide } from "@ngpu/placement/decide";
import { countedExclusions } from "@ngpu/placement/exclusions";
import { expect } from "chai";
import fc from "fast-check";
import { anyStrategy, fleets, requests } from "./arbitraries.ts";

describe("placement: the excluded nodes that count", () => {
  it("give the same decision as all excluded ones", () => {
    fc.assert(
      fc.property(fleets, requests, anyStrategy, (fleet, request, strategy) => {
        const nodes = new Map(fleet.nodes.map((node) => [node.nodeId, node]));
        const excluded = countedExclusions((nodeId) => nodes.get(nodeId), request);
        const all = decide(fleet, request, strategy);
        const counted = decide(fleet, { ...request, excluded }, strategy);
        expect(counted.type).to.equal(all.type);
        const ranking = all.type === "placed" ? all.ranking : [];
        expect(counted.type === "placed" ? counted.ranking : []).to.deep.equal(ranking);
      }),
    );
  });

  it("are those that the decision would rank without the exclusion, each once and in order", () => {
    fc.assert(
      fc.property(fleets, requests, anyStrategy, (fleet, given, strategy) => {
        const request = { ...given, position: 0, excluded: [...given.excluded, ...given.excluded].reverse() };
        const nodes = new Map(fleet.nodes.map((node) => [node.nodeId, node]));
        const counted = countedExclusions((nodeId) => nodes.get(nodeId), request);
        const fitting = fleet.nodes.filter((node) => {
          const alone = { ...fleet, nodes: [node] };
          return decide(alone, { ...request, excluded: [] }, strategy).type === "placed";
        });
        const expected = fitting.map(({ nodeId }) => nodeId).filter((id) => request.excluded.includes(id));
        expect(counted).to.deep.equal(expected);
      }),
    );
  });
});
