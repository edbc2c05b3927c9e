import {
  type Capacity,
  capacityDimensions,
  type Fleet,
  type FleetNode,
  type PlacementRequest,
} from "@ngpu/placement/fleet";
import fc from "fast-check";
import { strategies } from "../../../packages/placement/strategies/all.ts";

const models = ["0x1111111111111111", "0x2222222222222222", null];
const regions = ["DE", "US", null];

const capacity = (most: number) =>
  fc.record({
    gpus: fc.integer({ min: 0, max: Math.ceil(most / 10) }),
    cpuMilli: fc.integer({ min: 0, max: most * 100 }),
    memoryMib: fc.integer({ min: 0, max: most * 100 }),
    diskGib: fc.integer({ min: 0, max: most }),
    ports: fc.integer({ min: 0, max: most }),
  });

// Some differ by less than a double can represent at this size.
const prices = fc.oneof(
  fc.bigInt({ min: 0n, max: 12n }),
  fc.bigInt({ min: 0n, max: 3n }).map((n) => 2n ** 60n + n),
);

const node: fc.Arbitrary<Omit<FleetNode, "nodeId">> = fc
  .record({
    status: fc.constantFrom<FleetNode["status"][]>("online", "online", "online", "offline", "maintenance"),
    gpuModel: fc.constantFrom(...models),
    vramMib: fc.constantFrom(0, 24_576, 81_920),
    computeCapability: fc.constantFrom(0, 80, 90),
    region: fc.constantFrom(...regions),
    total: capacity(40),
    used: fc.double({ min: 0, max: 1, noNaN: true }),
    pricePerSecond: prices,
    measured: fc.boolean(),
    downMbps: fc.constantFrom(0, 100, 900),
    upMbps: fc.constantFrom(0, 50, 900),
    latencyTenthMs: fc.constantFrom(null, 100, 400),
    uptimePermille: fc.constantFrom(0, 990, 1_000),
    images: fc.constantFrom(new Set<string>(), new Set(["0xaa"]), new Set(["0xaa", "0xbb"])),
    workspaces: fc.constantFrom([], [], [1n], [1n, 2n], [2n, 2n]),
  })
  .map(({ used, ...rest }) => ({
    ...rest,
    free: Object.fromEntries(
      capacityDimensions.map((dimension) => [dimension, Math.floor(rest.total[dimension] * (1 - used))]),
    ) as Capacity,
  }));

export const fleetNodes = (maxLength: number): fc.Arbitrary<FleetNode[]> =>
  fc
    .array(node, { maxLength, size: "max" })
    .map((nodes) => nodes.map((one, index) => ({ ...one, nodeId: index + 1 })));

/** A node with a new or an existing id: an addition or an update. */
export const changedNode: fc.Arbitrary<FleetNode> = fc
  .record({ one: node, nodeId: fc.integer({ min: 1, max: 60 }) })
  .map(({ one, nodeId }) => ({ ...one, nodeId }));

export const fleets: fc.Arbitrary<Fleet> = fleetNodes(40).map((nodes) => ({
  block: { number: 7n, hash: "0x07", time: 1_000 },
  nodes,
}));

export const requests: fc.Arbitrary<PlacementRequest> = fc.record({
  workspaceId: fc.constantFrom(1n, 2n, 3n),
  position: fc.integer({ min: 0, max: 4 }),
  excluded: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 5 }),
  image: fc.constantFrom("0xaa", "0xbb", "0xcc"),
  imageAffinity: fc.constantFrom("none", "none", "prefer", "require"),
  replicas: fc.constantFrom("spread", "pack"),
  gpuModel: fc.constantFrom(null, null, ...models),
  gpuModels: fc.constantFrom(
    undefined,
    undefined,
    ["0x1111111111111111"],
    ["0x1111111111111111", "0x2222222222222222"],
  ),
  minVramMib: fc.constantFrom(0, 0, 24_576, 81_920),
  minComputeCapability: fc.constantFrom(0, 0, 80),
  region: fc.constantFrom(null, null, ...regions),
  wanted: capacity(15),
  minDownMbps: fc.constantFrom(0, 0, 100),
  minUpMbps: fc.constantFrom(0, 0, 100),
  minUptimePermille: fc.constantFrom(0, 0, 995),
  maxLatencyTenthMs: fc.constantFrom(null, null, 200),
  maxPricePerSecond: fc.oneof(prices, fc.constant(2n ** 61n)),
});

export const anyStrategy = fc.constantFrom(...Object.values(strategies));
