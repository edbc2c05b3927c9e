import { bytesToHex, type Hex, hexToBytes } from "viem";

/** Nodes of a word. */
const wordNodes = 256;

/**
 * The presence of nodes 256 * index + 1 to 256 * index + 256 in a slot: 32 bytes of the bitmap of the slot, in which each
 * byte begins with its lowest bit (IComputeNode.HeartbeatWord).
 */
export type HeartbeatWord = { index: number; bits: Hex };

/** The index of a node's word. */
export const wordIndexOf = (nodeId: number): number => Math.floor((nodeId - 1) / wordNodes);

/** The words of nodes, by their index; words without a node are left out. */
export function wordsOf(nodeIds: Iterable<number>): HeartbeatWord[] {
  const words = new Map<number, Uint8Array>();
  for (const nodeId of nodeIds) {
    const index = wordIndexOf(nodeId);
    const bytes = words.get(index) ?? new Uint8Array(wordNodes / 8);
    words.set(index, bytes);
    const place = (nodeId - 1) % wordNodes;
    bytes[place >> 3] = (bytes[place >> 3] ?? 0) | (1 << (place & 7));
  }
  return [...words]
    .sort(([one], [other]) => one - other)
    .map(([index, bytes]) => ({ index, bits: bytesToHex(bytes) }));
}

/** The nodes of a word, ascending. */
export function nodesOfWord({ index, bits }: HeartbeatWord): number[] {
  const nodeIds: number[] = [];
  for (const [place, byte] of hexToBytes(bits).entries()) {
    for (let bit = 0; bit < 8; bit++) {
      if ((byte >> bit) & 1) nodeIds.push(wordNodes * index + 8 * place + bit + 1);
    }
  }
  return nodeIds;
}
