import { concatHex, type Hex, keccak256, stringToHex, toHex } from "viem";
import type { DeviceRef } from "./types.ts";

/** What a batch holds of one device: the hash of its chase, of its whole answer, of its result or of its transcript. */
export type Leaf = DeviceRef & { value: Hex };

/** The hashes beside a leaf's way to the root, lowest first. */
export type Path = readonly { side: "left" | "right"; hash: Hex }[];

/** Leaves begin with their batch's number, and nodes with 0: no leaf is one of another batch, or a node. */
const batches = { chase: 1, answers: 2, results: 3, transcripts: 4 } as const;
export type Batch = keyof typeof batches;

const emptyRoot = keccak256(stringToHex("ngpu wave empty"));

/**
 * The tree of a batch: its leaves in the order of nodes and devices. A level's last node without a neighbour goes up as
 * it is.
 */
export function batchTree(batch: Batch, leaves: readonly Leaf[]) {
  const sorted = [...leaves].sort((a, b) => a.nodeId - b.nodeId || a.device - b.device);
  const levels: Hex[][] = [sorted.map((leaf) => leafHash(batch, leaf))];
  for (let level = levels[0] ?? []; level.length > 1; level = levels.at(-1) ?? []) levels.push(above(level));
  return {
    root: levels.at(-1)?.[0] ?? emptyRoot,
    leaves: sorted,
    pathOf: ({ nodeId, device }: DeviceRef): Path | undefined => {
      const place = sorted.findIndex((leaf) => leaf.nodeId === nodeId && leaf.device === device);
      return place < 0 ? undefined : pathFrom(levels, place);
    },
  };
}

/** The root that a leaf has with its path. */
export function rootFrom(batch: Batch, leaf: Leaf, path: Path): Hex {
  return path.reduce(
    (hash, { side, hash: beside }) => (side === "left" ? parentOf(beside, hash) : parentOf(hash, beside)),
    leafHash(batch, leaf),
  );
}

function above(level: readonly Hex[]): Hex[] {
  return Array.from({ length: Math.ceil(level.length / 2) }, (_, index) => {
    const [left, right] = [level[2 * index] as Hex, level[2 * index + 1]];
    return right === undefined ? left : parentOf(left, right);
  });
}

function pathFrom(levels: readonly Hex[][], place: number): Path {
  return levels.flatMap((level, height) => {
    const own = place >> height;
    const hash = level[own ^ 1];
    return hash === undefined ? [] : [{ side: own % 2 === 0 ? ("right" as const) : ("left" as const), hash }];
  });
}

function leafHash(batch: Batch, { nodeId, device, value }: Leaf): Hex {
  const place = concatHex([toHex(nodeId, { size: 8 }), toHex(device, { size: 4 })]);
  return keccak256(concatHex([toHex(batches[batch], { size: 1 }), place, value]));
}

function parentOf(left: Hex, right: Hex): Hex {
  return keccak256(concatHex(["0x00", left, right]));
}
