import { hash } from "node:crypto";
import { bytesOf } from "./words.ts";

/** Bytes of a hash, and of a node of the tree. */
export const hashBytes = 32;

const nothing = new Uint8Array(hashBytes);

export function blake2s(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(hash("blake2s256", Buffer.concat(parts), "buffer"));
}

/** The hash over the states before each segment of a leg. */
export function chainOf(statesBefore: readonly Int32Array[]): Uint8Array {
  return blake2s(...statesBefore.map(bytesOf));
}

/** The leaf of a lane's leg. 96 bytes are hashed, and 64 for a node: neither can pass for the other. */
export function leafOf(chain: Uint8Array, stateAfter: Int32Array): Uint8Array {
  return blake2s(chain, bytesOf(stateAfter));
}

/** Height of the tree over so many leaves. */
export function heightOf(leaves: number): number {
  return Math.ceil(Math.log2(leaves));
}

/** The root of a tree whose leaves are filled up with zeros to a power of two. */
export function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
  return levelsOf(leaves).at(-1)?.[0] ?? nothing;
}

/** The siblings of a leaf, from below. */
export function pathOf(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  return levelsOf(leaves)
    .slice(0, -1)
    .map((level, height) => level[(index >>> height) ^ 1] ?? nothing);
}

/** The root that a leaf at this index and its siblings lead to. */
export function rootFrom(leaf: Uint8Array, index: number, siblings: readonly Uint8Array[]): Uint8Array {
  return siblings.reduce((node, sibling, height) => {
    return Math.floor(index / 2 ** height) % 2 === 0 ? blake2s(node, sibling) : blake2s(sibling, node);
  }, leaf);
}

function levelsOf(leaves: readonly Uint8Array[]): Uint8Array[][] {
  const width = 2 ** heightOf(leaves.length);
  const levels = [Array.from({ length: width }, (_, index) => leaves[index] ?? nothing)];
  for (let below = levels[0] as Uint8Array[]; below.length > 1; ) {
    const from = below;
    below = Array.from({ length: from.length / 2 }, (_, pair) =>
      blake2s(from[2 * pair] as Uint8Array, from[2 * pair + 1] as Uint8Array),
    );
    levels.push(below);
  }
  return levels;
}
