import { claimTreeOf, type Leaf } from "@ngpu/protocol/claimTree";
import type { Hex } from "viem";

/** A leaf and its siblings, lowest first, 20 bytes each in one string. */
export type ProvenLeaf = Leaf & { proof: Hex };

/** The tree over an epoch's accounts, whatever order they come in. */
export function buildTree(leaves: Leaf[]): { root: Hex; leaves: ProvenLeaf[] } {
  const sorted = [...leaves].sort((a, b) => (a.account < b.account ? -1 : 1));
  const tree = claimTreeOf(sorted);
  return {
    root: tree.root,
    leaves: sorted.map((leaf, index) => ({ ...leaf, proof: tree.proofOf(index) })),
  };
}
