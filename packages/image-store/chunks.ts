import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { blobPath } from "./blobs.ts";
import type { Digest } from "./digest.ts";
import { readManifest } from "./manifest.ts";

/** Bytes in a chunk; the last one may be shorter. */
export const chunkBytes = 4 * 1024 * 1024;

export type ChunkRoot = {
  /** keccak256 Merkle root, 32 bytes as 0x hex. */
  root: `0x${string}`;
  chunks: number;
  totalBytes: number;
};

/**
 * The Merkle root over an image's bytes, which the chain stores beside the manifest digest.
 *
 * The bytes are the config blob followed by the layer blobs in manifest order, without gaps. Chunk i is the i-th 4 MiB
 * of them. A chunk's hash is sha256, which is fast on every node. A leaf is OpenZeppelin's standard leaf
 * `keccak256(keccak256(abi.encode(uint32 index, bytes32 sha256)))` and the tree is OpenZeppelin's sorted-pair keccak256
 * tree, so a contract checks one chunk with `MerkleProof.verify`.
 *
 * @throws FatalError `blob_not_found`, `digest_mismatch`, or `image_store_invalid` when the blob is not a manifest.
 */
export async function chunkRoot(options: {
  storeDir: string;
  digest: Digest;
  signal?: AbortSignal;
}): Promise<ChunkRoot> {
  const { storeDir, digest, signal } = options;
  const manifest = await readManifest(storeDir, digest);
  const paths = [manifest.config, ...manifest.layers].map((part) => blobPath(storeDir, part.digest));
  const { hashes, totalBytes } = await chunkHashes(concatenated(paths, signal));
  const leaves = hashes.map((hash, index): [number, string] => [index, hash]);
  const tree = StandardMerkleTree.of(leaves, ["uint32", "bytes32"]);
  return { root: tree.root as `0x${string}`, chunks: hashes.length, totalBytes };
}

async function* concatenated(paths: readonly string[], signal?: AbortSignal): AsyncGenerator<Buffer> {
  for (const path of paths) yield* createReadStream(path, { highWaterMark: 1 << 20, signal });
}

/** sha256 of each 4 MiB of a stream, independent of the sizes of the stream's pieces. */
export async function chunkHashes(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ hashes: `0x${string}`[]; totalBytes: number }> {
  const hashes: `0x${string}`[] = [];
  let hash = createHash("sha256");
  let filled = 0;
  let totalBytes = 0;
  const close = () => {
    hashes.push(`0x${hash.digest("hex")}`);
    hash = createHash("sha256");
    filled = 0;
  };
  for await (let piece of source) {
    totalBytes += piece.byteLength;
    while (piece.byteLength > 0) {
      const part = piece.subarray(0, chunkBytes - filled);
      hash.update(part);
      filled += part.byteLength;
      piece = piece.subarray(part.byteLength);
      if (filled === chunkBytes) close();
    }
  }
  if (filled > 0) close();
  return { hashes, totalBytes };
}
