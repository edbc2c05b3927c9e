// SimpleMerkleTree encodes each leaf by way of an error with a stack, which takes most of the time of a large tree.
import { getMultiProof, getProof, makeMerkleTree } from "@openzeppelin/merkle-tree/dist/core.js";
import { concatHex, type Hex, keccak256, toHex } from "viem";

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
  const tree = makeMerkleTree(nodes, parentOf) as Hex[];
  // The tree begins with its root and ends with its leaves, the last one first.
  const placeOf = (index: number) => tree.length - 1 - index;
  return {
    root: narrow(tree[0] as Hex),
    grants,
    /** The siblings of a leaf, lowest first, 20 bytes each. */
    proofOf: (index: number): Hex => join(getProof(tree, placeOf(index)) as Hex[]),
    /** The arguments of `claimMany` besides the epoch number, for leaves by index. */
    manyOf: (indices: readonly number[]): { grants: Hex[]; proof: Hex; flags: Hex } => {
      // The library takes the leaves in the order of the tree, from its end.
      const ordered = [...indices].sort((a, b) => a - b);
      const { proof, proofFlags } = getMultiProof(tree, ordered.map(placeOf));
      return {
        grants: ordered.map((index) => grants[index] as Hex),
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

type Node = Parameters<Parameters<typeof makeMerkleTree>[1] & {}>[0];

/** A tree of all accounts has a hundred thousand of these, so they are hashed as bytes, without viem's checks of hex. */
function parentOf(a: Node, b: Node): Hex {
  const [one, other] = [narrow(hexOf(a)), narrow(hexOf(b))];
  return widen(nodeHash(one < other ? `${one}${other.slice(2)}` : `${other}${one.slice(2)}`));
}

function hexOf(node: Node): Hex {
  return typeof node === "string" ? (node as Hex) : toHex(Uint8Array.from(node));
}

function nodeHash(data: Hex): Hex {
  const hash = keccak256(Buffer.from(data.slice(2), "hex"), "bytes");
  return `0x${Buffer.from(hash.buffer, hash.byteOffset, NODE_BYTES).toString("hex")}`;
}

function narrow(node: Hex): Hex {
  return node.slice(0, 2 + 2 * NODE_BYTES) as Hex;
}

/** SimpleMerkleTree stores nodes of 32 bytes: the 20-byte node padded with zeros. */
function widen(node: Hex): Hex {
  return node.padEnd(2 + 2 * 32, "0") as Hex;
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
