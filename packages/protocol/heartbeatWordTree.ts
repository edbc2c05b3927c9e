import { SimpleMerkleTree } from "@openzeppelin/merkle-tree/dist/simple.js";
import { encodeAbiParameters, type Hex, keccak256 } from "viem";
import type { HeartbeatWord } from "./heartbeatWords.ts";

/** Highest number of cached leaves of words. */
const maxCachedLeaves = 20_000;

/** Words under a root, as `ComputeNode.disputeHeartbeats` takes them: OpenZeppelin's proof of several leaves. */
export type ProvenWords = { words: HeartbeatWord[]; proof: Hex[]; proofFlags: boolean[] };

const leaves = new Map<string, Hex>();

/** keccak256(keccak256(abi.encode(uint32 index, bytes32 bits))). Hashed twice, so that an inner node is never a valid leaf. */
export function leafOfWord({ index, bits }: HeartbeatWord): Hex {
  const key = `${index}:${bits}`;
  const known = leaves.get(key);
  if (known !== undefined) return known;
  const fields = encodeAbiParameters([{ type: "uint32" }, { type: "bytes32" }], [index, bits]);
  const leaf = keccak256(keccak256(fields));
  if (leaves.size >= maxCachedLeaves) leaves.clear();
  leaves.set(key, leaf);
  return leaf;
}

/** The tree over words. `prove` proves those with the given indexes. */
export type WordTree = { root: Hex; words: HeartbeatWord[]; prove(indexes: Iterable<number>): ProvenWords };

/**
 * The tree over the words of an acknowledgement.
 *
 * @param words At least one, without duplicates.
 * @throws RangeError if there is no word, or none with an index that is to be proven.
 */
export function wordTreeOf(words: readonly HeartbeatWord[]): WordTree {
  if (words.length === 0) throw new RangeError("An acknowledgement has at least one word.");
  const tree = SimpleMerkleTree.of(words.map(leafOfWord), { sortLeaves: false });
  const places = new Map(words.map(({ index }, place) => [index, place]));
  const byLeaf = new Map(words.map((word) => [leafOfWord(word), word]));
  if (places.size !== words.length) throw new RangeError("An acknowledgement has each word once.");
  return {
    root: tree.root as Hex,
    words: [...words],
    prove(indexes) {
      const wanted = [...new Set(indexes)].map((index) => {
        const place = places.get(index);
        if (place === undefined) throw new RangeError(`The acknowledgement has no word ${index}.`);
        return place;
      });
      const { leaves: proven, proof, proofFlags } = tree.getMultiProof(wanted);
      return {
        words: proven.map((leaf) => byLeaf.get(leaf as Hex) as HeartbeatWord),
        proof: proof as Hex[],
        proofFlags,
      };
    },
  };
}

/** Whether words and their proof lead to a root. Without words a proof could be the root itself. */
export function areUnderRoot(root: Hex, { words, proof, proofFlags }: ProvenWords): boolean {
  if (words.length === 0) return false;
  try {
    return SimpleMerkleTree.verifyMultiProof(root, { leaves: words.map(leafOfWord), proof, proofFlags });
  } catch {
    // The lengths are those of no proof.
    return false;
  }
}
