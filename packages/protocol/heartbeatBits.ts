import type { heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { InputError } from "@ngpu/runtime/errors";
import { bytesToHex, type Hex, hexToBytes } from "viem";

/** The encoded presence of nodes 1 to `nodeCount` in one slot (IComputeNode.HeartbeatEncoding). */
export type HeartbeatBits = {
  encoding: (typeof heartbeatEncodings)[number];
  nodeCount: number;
  bits: Hex;
};

/**
 * Encodes the presence of nodes in the shorter of the two encodings.
 * `bitmap` is one bit for each node. `absentees` is the distance from each absent node to the next, in LEB128.
 */
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
    const position = (id - 1) >> 3;
    bytes[position] = (bytes[position] ?? 0) | (1 << ((id - 1) & 7));
  }
  return { encoding: "bitmap", nodeCount, bits: bytesToHex(bytes) };
}

/**
 * The absent nodes, ascending. The cost grows with the number of absent nodes and bytes, not with `nodeCount`.
 *
 * @throws InputError `heartbeats_invalid` if the bytes do not match the encoding.
 */
export function absenteesOf(slot: HeartbeatBits): number[] {
  const { encoding, nodeCount, bits } = slot;
  if (!isReadable(slot)) throw encodingError(encoding, nodeCount, Math.floor((bits.length - 2) / 2));
  const bytes = hexToBytes(bits);
  return encoding === "bitmap" ? clearBits(bytes, nodeCount) : positionsOf(bytes, nodeCount);
}

/** More nodes than this do not fit into memory; the contract's counter has 32 bits. */
const maxNodes = 2 ** 24;

/** Whether the bytes match the encoding. A slot that is not readable is set aside, as if it had not been committed. */
export function isReadable({ encoding, nodeCount, bits }: HeartbeatBits): boolean {
  if (!Number.isInteger(nodeCount) || nodeCount < 0 || nodeCount > maxNodes) return false;
  if (!/^0x([0-9a-f]{2})*$/i.test(bits)) return false;
  if (encoding === "bitmap") return bits.length - 2 === 2 * Math.ceil(nodeCount / 8);
  // The last byte of a distance has no top bit.
  return encoding === "absentees" && (bits === "0x" || Number.parseInt(bits.slice(-2), 16) < 0x80);
}

/**
 * The present nodes.
 *
 * @throws InputError `heartbeats_invalid` if the bytes do not match the encoding.
 */
export function decodeHeartbeats(slot: HeartbeatBits): Set<number> {
  const present = new Set<number>();
  for (let id = 1; id <= slot.nodeCount; id++) present.add(id);
  for (const id of absenteesOf(slot)) present.delete(id);
  return present;
}

function clearBits(bytes: Uint8Array, nodeCount: number): number[] {
  const ids: number[] = [];
  for (const [position, byte] of bytes.entries()) {
    if (byte === 0xff) continue;
    for (let bit = 0; bit < 8; bit++) {
      const id = 8 * position + bit + 1;
      if (id <= nodeCount && ((byte >> bit) & 1) === 0) ids.push(id);
    }
  }
  return ids;
}

/**
 * Node ids from distances. The contract does not validate distances: a distance of 0 adds no node, and ids above
 * `nodeCount` are ignored.
 */
function positionsOf(bytes: Uint8Array, nodeCount: number): number[] {
  const ids: number[] = [];
  let id = 0;
  let scale = 1;
  let distance = 0;
  for (const byte of bytes) {
    distance += (byte % 0x80) * scale;
    scale *= 0x80;
    if (byte >= 0x80) continue;
    id += distance;
    if (distance > 0 && id <= nodeCount) ids.push(id);
    scale = 1;
    distance = 0;
  }
  return ids;
}

/** LEB128: seven bits in each byte, lowest first; the top bit is set when more bytes follow. */
function pushLeb128(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
}

function encodingError(encoding: string, nodeCount: number, length: number): InputError {
  return new InputError(`${length} bytes are not a valid ${encoding} encoding of ${nodeCount} nodes.`, {
    code: "heartbeats_invalid",
    hint: "Send the number of nodes and the bytes of one commitment.",
    details: { encoding, nodeCount, length },
  });
}
