import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import type { Hex } from "viem";

export type Leaf = { account: string; cumulative: bigint };
export type ProvenLeaf = Leaf & { proof: Hex[] };

/** The cumulative tree that Pomc checks claims against: OpenZeppelin standard leaves of (address, uint256). */
export function buildTree(leaves: Leaf[]): { root: Hex; leaves: ProvenLeaf[] } {
  const sorted = [...leaves].sort((a, b) => (a.account < b.account ? -1 : 1));
  const tree = StandardMerkleTree.of(
    sorted.map((leaf): [string, string] => [leaf.account, leaf.cumulative.toString()]),
    ["address", "uint256"],
  );
  return {
    root: tree.root as Hex,
    leaves: sorted.map((leaf, index) => ({ ...leaf, proof: tree.getProof(index) as Hex[] })),
  };
}
