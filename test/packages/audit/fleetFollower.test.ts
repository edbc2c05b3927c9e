import { createFleetFollower } from "@ngpu/audit/fleetFollower";
import { fleetOfLogs } from "@ngpu/audit/fleetLogs";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { expect } from "chai";
import fc from "fast-check";
import { pad } from "viem";

const resources = { gpus: 0, cpuMilli: 1_000, memoryMib: 512, diskGib: 5, ports: 1 };
const total = { gpus: 0, cpuMilli: 8_000, memoryMib: 8_192, diskGib: 100, ports: 8 };
const nodeSpec = {
  gpuModel: pad("0x", { size: 8 }),
  vramMib: 0,
  computeCapability: 0,
  region: "0x4445",
  total,
};
const workspaceSpec = {
  gpuModel: pad("0x", { size: 8 }),
  minVramMib: 0,
  minComputeCapability: 0,
  region: "0x0000",
  resources,
  maxPricePerSecond: 10n,
};
const measured = {
  absent: false,
  downMbps: 10,
  upMbps: 10,
  latencyTenthMs: 10,
  portsReachable: 1,
  diskFreeGib: 50,
  diskWriteMibps: 10,
};

type Event = Pick<ChainLog, "name" | "args">;

const nodeId = fc.integer({ min: 1, max: 4 });
const lease = fc.record({
  workspaceId: fc.constantFrom(1n, 2n),
  replica: fc.constantFrom(0, 1),
  lease: fc.constantFrom(1, 2),
  nodeId,
});
/** Any event of any node in any order; many change nothing. */
const event: fc.Arbitrary<Event> = fc.oneof(
  nodeId.map((id) => ({ name: "NodeRegistered", args: { nodeId: id, spec: nodeSpec, pricePerSecond: 5n } })),
  fc.tuple(nodeId, fc.bigInt(1n, 9n)).map(([id, pricePerSecond]) => ({
    name: "NodeSpecUpdated",
    args: { nodeId: id, spec: nodeSpec, pricePerSecond },
  })),
  fc
    .tuple(nodeId, fc.integer({ min: 1, max: 3 }))
    .map(([id, status]) => ({ name: "NodeStatusChanged", args: { nodeId: id, status } })),
  fc.constantFrom(1n, 2n).map((workspaceId) => ({
    name: "WorkspacePublished",
    args: { workspaceId, spec: workspaceSpec, image: pad("0x1"), config: "{}" },
  })),
  lease.map((args) => ({ name: "Assigned", args })),
  fc
    .tuple(lease, fc.integer({ min: 1, max: 6 }))
    .map(([args, state]) => ({ name: "StateChanged", args: { ...args, state } })),
  lease.map((args) => ({ name: "Released", args })),
  fc
    .tuple(nodeId, fc.bigInt(1n, 5n), fc.integer({ min: 0, max: 200 }), fc.boolean())
    .map(([id, roundId, expiresAt, absent]) => ({
      name: "MeasureFinalized",
      args: { nodeId: id, roundId, expiresAt, median: { ...measured, absent, diskFreeGib: Number(roundId) } },
    })),
  fc.tuple(fc.integer({ min: 0, max: 90 }), fc.subarray([1, 2, 3, 4])).map(([slot, present]) => {
    const { encoding, bits } = encodeHeartbeats(4, new Set(present));
    return {
      name: "HeartbeatsCommitted",
      args: { slot: BigInt(slot), encoding: encoding === "bitmap" ? 0 : 1, nodeCount: 4, bits },
    };
  }),
  fc.tuple(nodeId, fc.integer({ min: 0, max: 90 })).map(([id, slot]) => ({
    name: "PresenceChallenged",
    args: { nodeId: id, firstSlot: BigInt(slot), lastSlot: BigInt(slot + 2) },
  })),
);

describe("the nodes, followed log by log", () => {
  it("are those that all logs lead to, at every block of any history", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const committed = new Set<unknown>();
        const logs = events
          // A slot is committed once.
          .filter(({ name, args }) => {
            const isAgain = name === "HeartbeatsCommitted" && committed.has(args.slot);
            if (name === "HeartbeatsCommitted") committed.add(args.slot);
            return !isAgain;
          })
          .map((one, index): ChainLog => {
            return {
              ...one,
              contract: "",
              generation: 1,
              block: BigInt(index + 1),
              logIndex: 0,
              time: index,
            };
          });
        const follower = createFleetFollower([]);
        for (const log of logs) {
          follower.take(log);
          if (Number(log.block) % 3 !== 0) continue;
          const block = { number: log.block, hash: "0x", time: Number(log.block) * 2 };
          expect(follower.at(block)).to.deep.equal(fleetOfLogs(logs, block, []));
        }
      }),
      { numRuns: 40 },
    );
  });
});
