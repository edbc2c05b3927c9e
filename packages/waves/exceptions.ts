import { bytesToHex, type Hex, hexToBytes } from "viem";
import { whole } from "./shares.ts";
import { type DeviceRef, keyOf, type Shares } from "./types.ts";

/** A device that proved less than it claimed. */
export type Exception = DeviceRef & { shares: Shares };

/** | node id 4 bytes | device 1 | memory 1 | bandwidth 1 | arithmetic 1 | */
const exceptionBytes = 8;

/** Encodes exceptions as ProofWaves publishes them: in the order of nodes and devices, each device once. */
export function encodeExceptions(exceptions: readonly Exception[]): Hex {
  const sorted = [...exceptions].sort((a, b) => a.nodeId - b.nodeId || a.device - b.device);
  const bytes = new Uint8Array(sorted.length * exceptionBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, { nodeId, device, shares }] of sorted.entries()) {
    const at = index * exceptionBytes;
    view.setUint32(at, nodeId);
    bytes.set([device, shares.memory, shares.bandwidth, shares.arithmetic], at + 4);
  }
  return bytesToHex(bytes);
}

/**
 * Decodes a published list; undefined for one that is none: of another length, not in order, or with a device that proved
 * everything. A measurer with such a list has stated nothing.
 */
export function decodeExceptions(list: Hex): Map<string, Shares> | undefined {
  const bytes = hexToBytes(list);
  if (bytes.length % exceptionBytes !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<string, Shares>();
  let last = -1;
  for (let at = 0; at < bytes.length; at += exceptionBytes) {
    const [device = 0, memory = 0, bandwidth = 0, arithmetic = 0] = bytes.subarray(
      at + 4,
      at + exceptionBytes,
    );
    const nodeId = view.getUint32(at);
    const place = nodeId * 256 + device;
    if (place <= last || Math.min(memory, bandwidth, arithmetic) === whole) return undefined;
    last = place;
    found.set(keyOf({ nodeId, device }), { memory, bandwidth, arithmetic });
  }
  return found;
}
