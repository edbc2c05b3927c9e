import type { Hex } from "viem";

/** Nodes that an assignment names at most. The chain's own reasons cover the others. */
export const maxListedNodes = 64;

/** The nodes that a placement excluded, as `Assigned` names them: 4 bytes each, big-endian, in ascending order. */
export function packNodes(nodeIds: readonly number[]): Hex {
  const listed = [...new Set(nodeIds)].sort((a, b) => a - b).slice(0, maxListedNodes);
  return `0x${listed.map((nodeId) => nodeId.toString(16).padStart(8, "0")).join("")}`;
}

/** Reads a list of nodes; undefined where it is not in the form of `packNodes`. */
export function unpackNodes(packed: Hex): number[] | undefined {
  const words = packed.slice(2).match(/.{1,8}/g) ?? [];
  const nodeIds = words.map((word) => Number.parseInt(word, 16));
  return packNodes(nodeIds) === packed.toLowerCase() ? nodeIds : undefined;
}
