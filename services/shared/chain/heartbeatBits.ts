import { bytesToHex, type Hex, hexToBytes } from "viem";
import { InputError } from "../errors.ts";
import type { heartbeatEncodings } from "./names.ts";

/** How the presence of nodes 1 to `nodeCount` in one slot is written (IComputeNode.HeartbeatEncoding). */
export type HeartbeatBits = {
  encoding: (typeof heartbeatEncodings)[number];
  nodeCount: number;
  bits: Hex;
};

/** The shorter of the two encodings: a bit for each node, or four bytes for each absentee. */
export function encodeHeartbeats(nodeCount: number, present: ReadonlySet<number>): HeartbeatBits {
  const absentees: number[] = [];
  for (let id = 1; id <= nodeCount; id++) if (!present.has(id)) absentees.push(id);
  if (absentees.length * 4 < Math.ceil(nodeCount / 8)) {
    const bytes = new Uint8Array(absentees.length * 4);
    const view = new DataView(bytes.buffer);
    for (const [index, id] of absentees.entries()) view.setUint32(index * 4, id);
    return { encoding: "absentees", nodeCount, bits: bytesToHex(bytes) };
  }
  const bytes = new Uint8Array(Math.ceil(nodeCount / 8));
  for (const id of present) {
    if (id < 1 || id > nodeCount) continue;
    const place = (id - 1) >> 3;
    bytes[place] = (bytes[place] ?? 0) | (1 << ((id - 1) & 7));
  }
  return { encoding: "bitmap", nodeCount, bits: bytesToHex(bytes) };
}

/**
 * The nodes that were present.
 *
 * @throws InputError `heartbeats_invalid` when the bytes don't fit the encoding.
 */
export function decodeHeartbeats({ encoding, nodeCount, bits }: HeartbeatBits): Set<number> {
  const bytes = hexToBytes(bits);
  const present = new Set<number>();
  if (encoding === "bitmap") {
    if (bytes.length !== Math.ceil(nodeCount / 8)) throw misfit(encoding, nodeCount, bytes.length);
    for (let id = 1; id <= nodeCount; id++) {
      if (((bytes[(id - 1) >> 3] ?? 0) >> ((id - 1) & 7)) & 1) present.add(id);
    }
    return present;
  }
  if (bytes.length % 4 !== 0) throw misfit(encoding, nodeCount, bytes.length);
  for (let id = 1; id <= nodeCount; id++) present.add(id);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let place = 0; place < bytes.length; place += 4) present.delete(view.getUint32(place));
  return present;
}

function misfit(encoding: string, nodeCount: number, length: number): InputError {
  return new InputError(`${length} bytes are no ${encoding} of ${nodeCount} nodes.`, {
    code: "heartbeats_invalid",
    details: { encoding, nodeCount, length },
  });
}
