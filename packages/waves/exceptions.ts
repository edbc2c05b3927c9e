import { bytesToHex, type Hex, hexToBytes } from "viem";
import { noShares, whole } from "./shares.ts";
import { type DeviceRef, keyOf, type Shares } from "./types.ts";

/** A device that proved less than it claimed. */
export type Exception = DeviceRef & { shares: Shares };

/** Devices of a node, as ProofWaves limits them. */
const mostDevices = 64;
const partialFlag = 128;
const mostNodeId = 2 ** 32 - 1;

/**
 * Encodes exceptions as ProofWaves publishes them: in the order of nodes and devices, each device once. An entry begins with
 * twice the difference to the node before, in groups of 7 bits, the lowest first. For a first device that proved nothing
 * that is all. For any other the number is one more, and a byte follows with the device; with 128 added to it, three bytes
 * follow with the shares of memory, bandwidth and arithmetic.
 */
export function encodeExceptions(exceptions: readonly Exception[]): Hex {
  const bytes: number[] = [];
  let before = 0;
  for (const { nodeId, device, shares } of [...exceptions].sort(inOrder)) {
    const isPartial = !isNothing(shares);
    const isOther = isPartial || device !== 0;
    bytes.push(...groupsOf(2 * (nodeId - before) + (isOther ? 1 : 0)));
    if (isOther) bytes.push(device + (isPartial ? partialFlag : 0));
    if (isPartial) bytes.push(shares.memory, shares.bandwidth, shares.arithmetic);
    before = nodeId;
  }
  return bytesToHex(Uint8Array.from(bytes));
}

/**
 * Decodes a published list; undefined for one that is none: cut, not in order, in another form than the shortest, or with a
 * device that proved everything. A measurer with such a list has stated nothing.
 */
export function decodeExceptions(list: Hex): Map<string, Shares> | undefined {
  const reader = { bytes: hexToBytes(list), at: 0 };
  const found: Exception[] = [];
  let before = 0;
  while (reader.at < reader.bytes.length) {
    const entry = readEntry(reader, before);
    const last = found.at(-1);
    if (entry === undefined || (last !== undefined && inOrder(last, entry) >= 0)) return undefined;
    found.push(entry);
    before = entry.nodeId;
  }
  const isShortest = encodeExceptions(found) === list.toLowerCase();
  return isShortest ? new Map(found.map((entry) => [keyOf(entry), entry.shares])) : undefined;
}

type Reader = { bytes: Uint8Array; at: number };

function readEntry(reader: Reader, before: number): Exception | undefined {
  const head = readGroups(reader);
  if (head === undefined) return undefined;
  const nodeId = before + Math.floor(head / 2);
  if (nodeId > mostNodeId) return undefined;
  if (head % 2 === 0) return { nodeId, device: 0, shares: noShares };
  const [byte] = take(reader, 1);
  if (byte === undefined) return undefined;
  const device = byte % partialFlag;
  if (device >= mostDevices) return undefined;
  if (byte < partialFlag) return { nodeId, device, shares: noShares };
  const [memory, bandwidth, arithmetic] = take(reader, 3);
  if (memory === undefined || bandwidth === undefined || arithmetic === undefined) return undefined;
  if (Math.min(memory, bandwidth, arithmetic) === whole) return undefined;
  return { nodeId, device, shares: { memory, bandwidth, arithmetic } };
}

function take(reader: Reader, count: number): Uint8Array {
  reader.at += count;
  return reader.bytes.subarray(reader.at - count, reader.at);
}

/** A number below 2³⁵. */
function readGroups(reader: Reader): number | undefined {
  let value = 0;
  for (let group = 0; group < 5; group += 1) {
    const [byte] = take(reader, 1);
    if (byte === undefined) return undefined;
    value += (byte % 128) * 128 ** group;
    if (byte < 128) return value;
  }
  return undefined;
}

function groupsOf(value: number): number[] {
  const high = Math.floor(value / 128);
  return high === 0 ? [value] : [(value % 128) + 128, ...groupsOf(high)];
}

function inOrder(a: DeviceRef, b: DeviceRef): number {
  return a.nodeId - b.nodeId || a.device - b.device;
}

function isNothing({ memory, bandwidth, arithmetic }: Shares): boolean {
  return memory === 0 && bandwidth === 0 && arithmetic === 0;
}
