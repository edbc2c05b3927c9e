import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { concatHex, type Hex, keccak256, pad, slice, toHex } from "viem";

/** The total amount ever granted to an account, in token units (1e-18). */
export type Leaf = { account: string; cumulative: bigint };

const NODE_BYTES = 20;

/**
 * The tree of cumulative grants that Pomc verifies claims against (contracts/libraries/ClaimTree.sol). The leaves keep
 * the given order.
 *
 * @throws RangeError if there is no leaf. An amount above 96 bits throws viem's IntegerOutOfRangeError.
 */
export function claimTreeOf(leaves: readonly Leaf[]) {
  if (leaves.length === 0) throw new RangeError("A tree has at least one leaf.");
  const grants = leaves.map(grantOf);
  const nodes = grants.map((grant) => widen(nodeHash(grant)));
  const tree = SimpleMerkleTree.of(nodes, { sortLeaves: false, nodeHash: parentOf });
  return {
    root: narrow(tree.root as Hex),
    grants,
    /** The siblings of a leaf, lowest first, 20 bytes each. */
    proofOf: (index: number): Hex => join(tree.getProof(index) as Hex[]),
    /** The arguments of `claimMany` besides the epoch number, for leaves by index. */
    manyOf: (indices: readonly number[]): { grants: Hex[]; proof: Hex; flags: Hex } => {
      const positionOf = new Map(nodes.map((node, index) => [node, index]));
      const { leaves: ordered, proof, proofFlags } = tree.getMultiProof([...indices]);
      return {
        grants: ordered.map((node) => grants[positionOf.get(node as Hex) ?? -1] as Hex),
        proof: join(proof as Hex[]),
        flags: bitsOf(proofFlags),
      };
    },
  };
}

/** One word, in bits: | account 160 | cumulative 96 |. */
function grantOf({ account, cumulative }: Leaf): Hex {
  return concatHex([account as Hex, toHex(cumulative, { size: 12 })]);
}

type Node = Parameters<typeof SimpleMerkleTree.verify>[0];

function parentOf(a: Node, b: Node): Hex {
  const children = [narrow(hexOf(a)), narrow(hexOf(b))].sort((one, other) => (one < other ? -1 : 1));
  return widen(nodeHash(concatHex(children)));
}

function hexOf(node: Node): Hex {
  return typeof node === "string" ? (node as Hex) : toHex(Uint8Array.from(node));
}

function nodeHash(data: Hex): Hex {
  return narrow(keccak256(data));
}

function narrow(node: Hex): Hex {
  return slice(node, 0, NODE_BYTES);
}

/** SimpleMerkleTree stores nodes of 32 bytes: the 20-byte node padded with zeros. */
function widen(node: Hex): Hex {
  return pad(node, { dir: "right", size: 32 });
}

function join(nodes: readonly Hex[]): Hex {
  return concatHex(nodes.map(narrow));
}

/** Packs flags from the lowest bit of the first byte up. */
function bitsOf(flags: readonly boolean[]): Hex {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8));
  for (const [index, flag] of flags.entries()) {
    if (flag) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return toHex(bytes);
}
