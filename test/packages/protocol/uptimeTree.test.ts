import { type UptimeLeaf, uptimeLeafOf, uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import { expect } from "chai";
import fc from "fast-check";
import { type Hex, keccak256, stringToHex } from "viem";
import { runs } from "../../support/runs.ts";

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const node = fc.record({
  kind: fc.constant("node" as const),
  day: u64,
  nodeId: u32,
  presentSlots: u32,
  totalSlots: u32,
});
const lease = fc.record({
  kind: fc.constant("lease" as const),
  day: u64,
  workspaceId: u64,
  replica: fc.integer({ min: 0, max: 65_535 }),
  lease: u32,
  nodeId: u32,
  authorizationId: u64,
  rate: u64,
  downSeconds: u32,
});
const leaf: fc.Arbitrary<UptimeLeaf> = fc.oneof(node, lease);

describe("The uptime tree", () => {
  it("proves each of its leaves and gives different leaves different hashes", () => {
    fc.assert(
      fc.property(fc.uniqueArray(leaf, { minLength: 1, maxLength: 20, selector: uptimeLeafOf }), (leaves) => {
        const { root, proofOf } = uptimeTreeOf(leaves);
        for (const [index, one] of leaves.entries()) {
          const up = proofOf(index).reduce<Hex>(
            (at, sibling) =>
              keccak256(at < sibling ? `${at}${sibling.slice(2)}` : `${sibling}${at.slice(2)}`),
            uptimeLeafOf(one),
          );
          expect(up).to.equal(root);
        }
      }),
      { numRuns: runs(50) },
    );
  });

  it("has a root for one leaf and none for no leaf", () => {
    const one: UptimeLeaf = { kind: "node", day: 1n, nodeId: 2, presentSlots: 3, totalSlots: 4 };
    expect(uptimeTreeOf([one]).root).to.equal(uptimeLeafOf(one));
    expect(uptimeTreeOf([one]).root).to.not.equal(keccak256(stringToHex("")));
    expect(() => uptimeTreeOf([])).to.throw(RangeError);
  });
});
