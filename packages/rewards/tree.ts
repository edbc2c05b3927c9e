import { claimTreeOf, type Leaf } from "@ngpu/protocol/claimTree";
import type { Hex } from "viem";

/** A leaf with its proof: the siblings, lowest first, 20 bytes each, concatenated. */
export type ProvenLeaf = Leaf & { proof: Hex };

/** The tree over an epoch's accounts. It does not depend on their order. */
export function buildTree(leaves: Leaf[]): { root: Hex; leaves: ProvenLeaf[] } {
  const sorted = [...leaves].sort((a, b) => (a.account < b.account ? -1 : 1));
  const tree = claimTreeOf(sorted);
  return {
    root: tree.root,
    leaves: sorted.map((leaf, index) => ({ ...leaf, proof: tree.proofOf(index) })),
  };
}
