import type { RelayKind } from "@ngpu/protocol/relayKinds";
import fc from "fast-check";

const hex = (bytes: number) => `0x${"1".repeat(2 * bytes)}`;
const deadline = "4000000000";
const lease = { workspaceId: "1", replica: 0, lease: 1, fence: hex(8) };
const total = { gpus: 1, cpuMilli: 1_000, memoryMib: 1_024, diskGib: 10, ports: 1 };
const spec = { gpuModel: hex(8), vramMib: 1_024, computeCapability: 90, region: hex(2), total };
const result = {
  absent: false,
  downMbps: 1,
  upMbps: 1,
  latencyTenthMs: 1,
  portsReachable: 1,
  diskFreeGib: 1,
  diskWriteMibps: 1,
};

/** A plausible message of each kind, as JSON. */
export const relayExamples: Record<RelayKind, Record<string, unknown>> = {
  register: {
    key: hex(20),
    wallet: hex(20),
    spec,
    pricePerSecond: "1",
    gpuName: "GPU",
    gpuUuids: [hex(32)],
    deadline,
    consent: "0x",
  },
  updateSpec: { nodeId: 1, spec, pricePerSecond: "1", gpuName: "GPU", sequence: 1, deadline },
  setStatus: { nodeId: 1, status: 1, sequence: 1, deadline },
  setWallet: { nodeId: 1, wallet: hex(20), sequence: 1, deadline, consent: hex(65) },
  setKey: { nodeId: 1, key: hex(20), sequence: 1, deadline, consent: hex(65) },
  acceptNode: { nodeId: 1, key: hex(20), wallet: hex(20), sequence: 0, deadline },
  report: { ...lease, state: 3, detail: hex(32), sequence: 1, deadline },
  progress: { ...lease, milestone: 1, deadline },
  dispute: { slot: "1", nodeId: 1, root: hex(32), bits: hex(32), proof: [hex(32)], deadline },
  registerMeasurer: { key: hex(20), wallet: hex(20), region: hex(2), deadline, consent: hex(65) },
  reveal: {
    roundId: "1",
    measurerId: 1,
    draw: 0,
    port: 42_000,
    salt: hex(32),
    proof: [hex(32), hex(32), hex(32)],
    result,
    deadline,
  },
  claimHardware: { nodeId: 1, devices: [hex(32)], deadline },
  postWave: { waveId: 1, measurerId: 1, stage: 0, root: hex(32), deadline },
};

/** Values at the ends of every type that JSON and the chain have, and beyond. */
export const extremeValues: readonly unknown[] = [
  0,
  1,
  -1,
  0.5,
  255,
  256,
  2 ** 16,
  2 ** 24,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  Number.MAX_VALUE,
  5e-324,
  "",
  "0",
  "-1",
  "1e9",
  "0x",
  "NaN",
  " 1",
  "9".repeat(20),
  "9".repeat(78),
  "9".repeat(1_000),
  ...[2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 256n - 1n, 2n ** 256n].map(String),
  "\0",
  "a\0b",
  "\ud800",
  "\u202e",
  "'; drop table app.session; --",
  "x".repeat(10_000),
  ...[2, 8, 20, 32, 65, 5_000].flatMap((bytes) => [
    `0x${"0".repeat(2 * bytes)}`,
    `0x${"f".repeat(2 * bytes)}`,
  ]),
  null,
  true,
  false,
  [],
  {},
  [[]],
  { toString: 1 },
  Array(2_000).fill("1/0/1"),
  Array(65).fill(hex(32)),
];

export const extremes = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...extremeValues) },
  { weight: 1, arbitrary: fc.oneof(fc.string({ unit: "binary" }), fc.jsonValue()) },
);

/** The paths of all values in a document: its fields, those of its fields, and the items of lists. */
export function fieldsIn(document: object, before: string[] = []): string[][] {
  return Object.entries(document).flatMap(([name, value]) => {
    const path = [...before, name];
    return typeof value === "object" && value !== null ? [path, ...fieldsIn(value, path)] : [path];
  });
}

/** A copy of a document with another value at a path. */
export function withValue(
  document: object,
  path: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const copy = structuredClone(document) as Record<string, unknown>;
  const holder = path.slice(0, -1).reduce((inner, name) => inner[name] as typeof copy, copy);
  holder[path.at(-1) as string] = value;
  return copy;
}
