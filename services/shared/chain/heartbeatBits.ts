import { bytesToHex, type Hex, hexToBytes } from "viem";
import { InputError } from "../errors.ts";
import type { heartbeatEncodings } from "./names.ts";

/** How the presence of nodes 1 to `nodeCount` in one slot is written (IComputeNode.HeartbeatEncoding). */
export type HeartbeatBits = {
  encoding: (typeof heartbeatEncodings)[number];
  nodeCount: number;
  bits: Hex;
};

/** The shorter of the two encodings: a bit for each node, or a byte or more for the distance from each absentee to the next. */
export function encodeHeartbeats(nodeCount: number, present: ReadonlySet<number>): HeartbeatBits {
  const distances: number[] = [];
  let last = 0;
  for (let id = 1; id <= nodeCount; id++) {
    if (present.has(id)) continue;
    pushLeb128(distances, id - last);
    last = id;
  }
  if (distances.length < Math.ceil(nodeCount / 8)) {
    return { encoding: "absentees", nodeCount, bits: bytesToHex(Uint8Array.from(distances)) };
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
  if ((bytes.at(-1) ?? 0) >= 0x80) throw misfit(encoding, nodeCount, bytes.length);
  for (let id = 1; id <= nodeCount; id++) present.add(id);
  let id = 0;
  let scale = 1;
  for (const byte of bytes) {
    id += (byte % 0x80) * scale;
    scale *= 0x80;
    if (byte >= 0x80) continue;
    present.delete(id);
    scale = 1;
  }
  return present;
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function pushLeb128(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
}

function misfit(encoding: string, nodeCount: number, length: number): InputError {
  return new InputError(`${length} bytes are no ${encoding} of ${nodeCount} nodes.`, {
    code: "heartbeats_invalid",
    details: { encoding, nodeCount, length },
  });
}
