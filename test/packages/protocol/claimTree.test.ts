import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { expect } from "chai";
import fc from "fast-check";
import { concatHex, type Hex, keccak256, pad, slice, toHex } from "viem";

const narrow = (node: Hex) => slice(node, 0, 20);
const widen = (node: Hex) => pad(node, { dir: "right", size: 32 });
const hash = (data: Hex) => narrow(keccak256(data));
const parentOf = (one: Hex, other: Hex) => hash(concatHex([one, other].sort()));

const leaf = fc.record({
  account: fc.bigInt({ min: 0n, max: 2n ** 160n - 1n }).map((value) => toHex(value, { size: 20 })),
  cumulative: fc.bigInt({ min: 0n, max: 2n ** 96n - 1n }),
});
const leaves = fc.uniqueArray(leaf, { minLength: 1, maxLength: 40, selector: ({ account }) => account });

/** The nodes of a proof, 20 bytes each. */
function nodesIn(proof: Hex): Hex[] {
  return (proof.slice(2).match(/.{40}/g) ?? []).map((node): Hex => `0x${node}`);
}

describe("the claim tree", () => {
  it("proves each of its leaves", () => {
    fc.assert(
      fc.property(leaves, (given) => {
        const { root, grants, proofOf } = claimTreeOf(given);
        for (const [index, grant] of grants.entries()) {
          expect(nodesIn(proofOf(index)).reduce(parentOf, hash(grant))).to.equal(root);
        }
      }),
    );
  });

  it("proves any of its leaves together, as OpenZeppelin's library does with nodes of 20 bytes", () => {
    fc.assert(
      fc.property(leaves, fc.infiniteStream(fc.boolean()), (given, chosen) => {
        const { root, grants, manyOf } = claimTreeOf(given);
        const nodeHash = (one: unknown, other: unknown) =>
          widen(parentOf(narrow(one as Hex), narrow(other as Hex)));
        const nodes = grants.map((grant) => widen(hash(grant)));
        const tree = SimpleMerkleTree.of(nodes, { sortLeaves: false, nodeHash });
        expect(narrow(tree.root as Hex)).to.equal(root);
        const indices = grants.map((_, index) => index).filter(() => chosen.next().value);
        const wanted = tree.getMultiProof([...indices]);
        const many = manyOf(indices);
        expect(many.grants.map((grant) => widen(hash(grant)))).to.deep.equal(wanted.leaves);
        expect(nodesIn(many.proof)).to.deep.equal(wanted.proof.map((node) => narrow(node as Hex)));
        const isSet = (flag: number) =>
          (Number(`0x${many.flags.slice(2 + 2 * (flag >> 3)).slice(0, 2)}`) >> (flag & 7)) & 1;
        expect(wanted.proofFlags.map((_, flag) => isSet(flag) === 1)).to.deep.equal(wanted.proofFlags);
      }),
    );
  });

  it("has leaves", () => {
    expect(() => claimTreeOf([])).to.throw(RangeError);
  });
});
