import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { concatHex, type Hex, keccak256, pad, slice, toHex } from "viem";

/** Everything ever granted to an account. */
export type Leaf = { account: string; cumulative: bigint };

const NODE_BYTES = 20;

/**
 * The cumulative tree that Pomc checks claims against (contracts/libraries/ClaimTree.sol), with leaves in the order given.
 *
 * @throws RangeError for no leaves or an amount beyond 96 bits.
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
    /** What `claimMany` takes beside the epoch's number, for leaves by their places. */
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

/** One word: | account 160 | cumulative 96 |. */
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

/** The tree's library holds nodes of 32 bytes: ours and zeros. */
function widen(node: Hex): Hex {
  return pad(node, { dir: "right", size: 32 });
}

function join(nodes: readonly Hex[]): Hex {
  return concatHex(nodes.map(narrow));
}

/** Lowest bit of the first byte first. */
function bitsOf(flags: readonly boolean[]): Hex {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8));
  for (const [index, flag] of flags.entries()) {
    if (flag) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return toHex(bytes);
}
