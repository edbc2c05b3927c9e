import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import fc from "fast-check";
import { encodeAbiParameters, type Hex, keccak256, parseEventLogs } from "viem";
import { runs } from "../support/runs.ts";
import { eventsOf } from "./support/events.ts";
import { loadMarket } from "./support/market.ts";
import { addNodes, demandOf, nodeSpec, packResources } from "./support/nodes.ts";
import { commitCosigned, markOffline } from "./support/presence.ts";
import { expectRevert } from "./support/reverts.ts";

const encoding = { bitmap: 0, absentees: 1 } as const;
type Resources = typeof nodeSpec.total;
const lanes = ["gpus", "cpuMilli", "memoryMib", "diskGib", "ports"] as const;

describe("ComputeNode: capacity", () => {
  const acts = runs(20, 60);

  it(`keeps reserved + free = spec in every lane, and refuses what does not fit, ${acts} acts`, async () => {
    const market = await loadMarket();
    const { computeNode, people } = market;
    await addNodes(market, ["a"]);
    await computeNode.write.addDocker([people.keeper]);
    const amount = fc.record({
      gpus: fc.constantFrom(0, 1),
      cpuMilli: fc.integer({ min: 0, max: 20_000 }),
      memoryMib: fc.integer({ min: 0, max: 150_000 }),
      diskGib: fc.integer({ min: 0, max: 1_100 }),
      ports: fc.integer({ min: 0, max: 40 }),
    });
    const held: Resources[] = [];
    const free = { ...nodeSpec.total };
    const step = async ({ give, wanted }: { give: boolean; wanted: Resources }) => {
      const back = give ? held.pop() : undefined;
      if (back !== undefined) {
        await computeNode.write.release([1, packResources(back)], { account: people.keeper });
        for (const lane of lanes) free[lane] += back[lane];
      } else if (lanes.every((lane) => wanted[lane] <= free[lane])) {
        await computeNode.write.reserve([1, demandOf(wanted)], { account: people.keeper });
        held.push(wanted);
        for (const lane of lanes) free[lane] -= wanted[lane];
      } else {
        const call = computeNode.write.reserve([1, demandOf(wanted)], { account: people.keeper });
        await expectRevert(call, "NodeCapacityExceeded", { wanted, free });
      }
      expect(await computeNode.read.freeOf([1])).to.deep.equal(free);
    };
    await fc.assert(fc.asyncProperty(fc.record({ give: fc.boolean(), wanted: amount }), step), {
      numRuns: acts,
      verbose: true,
    });
  });

  it("reserves the total of every lane, and then not one unit of any", async () => {
    const market = await loadMarket();
    const { computeNode, people } = market;
    await addNodes(market, ["a"]);
    await computeNode.write.addDocker([people.keeper]);
    const as = { account: people.keeper };
    const none: Resources = { gpus: 0, cpuMilli: 0, memoryMib: 0, diskGib: 0, ports: 0 };
    for (const lane of lanes) {
      const wanted = { ...none, [lane]: nodeSpec.total[lane] };
      await computeNode.write.reserve([1, demandOf(wanted)], as);
      const one = { ...none, [lane]: 1 };
      await expectRevert(computeNode.write.reserve([1, demandOf(one)], as), "NodeCapacityExceeded", {
        wanted: one,
      });
    }
    expect(await computeNode.read.freeOf([1])).to.deep.equal(none);
  });

  it("reserves on online nodes only, for DockerContract only", async () => {
    const market = await loadMarket();
    const { computeNode, people } = market;
    await addNodes(market, ["a"]);
    const call = () => computeNode.write.reserve([1, demandOf(nodeSpec.total)], { account: people.keeper });
    await expectRevert(call(), "CallerNotDocker", { caller: people.keeper });
    await expectRevert(
      computeNode.write.release([1, packResources(nodeSpec.total)], { account: people.keeper }),
      "CallerNotDocker",
    );
    await computeNode.write.addDocker([people.keeper]);
    await markOffline(market, [1]);
    await expectRevert(call(), "NodeNotAccepting", { nodeId: 1, status: 2 });
  });
});

describe("ComputeNode: reservations", () => {
  it("are counted for each DockerContract, and a retired one only releases", async () => {
    const market = await loadMarket();
    const { computeNode, people } = market;
    await addNodes(market, ["a"]);
    const amount = { gpus: 0, cpuMilli: 1_000, memoryMib: 1_024, diskGib: 1, ports: 1 };
    const first = { account: people.keeper };
    const second = { account: people.outsider };
    const reserve = (by: typeof first) => computeNode.write.reserve([1, demandOf(amount)], by);
    const release = (by: typeof first) => computeNode.write.release([1, packResources(amount)], by);
    for (const { account } of [first, second]) await computeNode.write.addDocker([account]);
    await reserve(first);
    await reserve(first);
    await expectRevert(release(second), "DockerWithoutReservations", { docker: people.outsider });
    await computeNode.write.retireDocker([people.keeper]);
    await expectRevert(reserve(first), "CallerNotDocker", { caller: people.keeper });
    await reserve(second);
    await release(first);
    expect(await computeNode.read.dockerOf([people.keeper])).to.deep.equal([false, true, 1n]);
    await release(first);
    await expectRevert(release(first), "DockerWithoutReservations");
    expect(await computeNode.read.dockerOf([people.outsider])).to.deep.equal([true, false, 1n]);
    await release(second);
    expect(await computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
    await expectRevert(computeNode.write.addDocker([people.outsider]), "DockerAlreadyAdded");
    await expectRevert(computeNode.write.retireDocker([people.treasury]), "DockerNotReserving");
  });

  it("log the added and retired contracts, with their reservations", async () => {
    const market = await loadMarket();
    const { computeNode, people, mined } = market;
    const of = "computeNode";
    const logged = async (call: Promise<Hex>) => eventsOf(await mined(call), { computeNode });
    const docker = people.keeper;
    expect(await logged(computeNode.write.addDocker([docker]))).to.deep.equal([
      { of, name: "DockerAdded", args: { docker } },
    ]);
    await addNodes(market, ["a"]);
    await computeNode.write.reserve([1, demandOf(nodeSpec.total)], { account: docker });
    expect(await logged(computeNode.write.retireDocker([docker]))).to.deep.equal([
      { of, name: "DockerRetired", args: { docker, reservations: 1n } },
    ]);
    expect(await logged(computeNode.write.setMeasure([docker, true]))).to.deep.equal([
      { of, name: "MeasureSet", args: { measure: docker, allowed: true } },
    ]);
  });
});

describe("ComputeNode: heartbeats", () => {
  /** The last slot that has ended. */
  async function lastSlot(market: Awaited<ReturnType<typeof loadMarket>>): Promise<bigint> {
    return BigInt(Math.floor((await market.time.latest()) / 60) - 1);
  }

  it("records a slot once, in its log and as a hash", async () => {
    const market = await loadMarket();
    const { computeNode, mined } = market;
    await addNodes(market, ["a", "b", "c"]);
    const slot = await lastSlot(market);
    const bits: Hex = "0x05";
    const commit = () => commitCosigned(market, slot, { encoding: "bitmap", nodeCount: 3, bits });
    const receipt = await mined(commit());
    const [log] = parseEventLogs({
      abi: computeNodeAbi,
      eventName: "HeartbeatsCommitted",
      logs: receipt.logs,
    });
    expect(log?.args).to.deep.equal({ slot, encoding: encoding.bitmap, nodeCount: 3, bits });
    const digest = keccak256(
      encodeAbiParameters(
        [{ type: "uint64" }, { type: "uint8" }, { type: "uint32" }, { type: "bytes32" }],
        [slot, encoding.bitmap, 3, keccak256(bits)],
      ),
    );
    const kept = `${digest.slice(0, 50)}${"0".repeat(16)}`;
    expect(await computeNode.read.heartbeatHash([slot])).to.equal(kept);
    expect(await computeNode.read.heartbeatHash([slot + 256n])).to.equal(`0x${"0".repeat(64)}`);
    await expectRevert(commit(), "HeartbeatSlotCommitted", { slot });
  });

  it("reuses the ring's slot after 256 slots", async () => {
    const market = await loadMarket();
    const { computeNode, people, time } = market;
    const slot = await lastSlot(market);
    const commit = (number: bigint) =>
      computeNode.write.commitHeartbeats([number, encoding.bitmap, 0, "0x"], { account: people.committer });
    await commit(slot);
    await time.increase(256 * 60);
    await commit(slot + 256n);
    expect(await computeNode.read.heartbeatHash([slot])).to.equal(`0x${"0".repeat(64)}`);
    expect(await computeNode.read.heartbeatHash([slot + 256n])).to.not.equal(`0x${"0".repeat(64)}`);
  });

  it("accepts ended slots inside the window", async () => {
    const market = await loadMarket();
    const { computeNode, people, time } = market;
    await time.increaseTo(Math.ceil((await time.latest()) / 60) * 60 + 5);
    const last = await lastSlot(market);
    const commit = (slot: bigint) =>
      computeNode.write.commitHeartbeats([slot, encoding.bitmap, 0, "0x"], { account: people.committer });
    const bounds = { earliest: last - 59n, latest: last };
    await expectRevert(commit(last + 1n), "HeartbeatSlotOutsideWindow", { slot: last + 1n, ...bounds });
    await expectRevert(commit(last - 60n), "HeartbeatSlotOutsideWindow", { slot: last - 60n, ...bounds });
    await commit(last - 59n);
    await commit(last);
  });

  for (const count of [1, 7, 8, 9]) {
    it(`accepts every bit of ${count} nodes, and no others`, async () => {
      const market = await loadMarket();
      const { computeNode } = market;
      const names = Array.from({ length: count }, (_, place) => `node ${place}`);
      await addNodes(market, names);
      const slot = await lastSlot(market);
      const commit = (at: bigint, bits: Hex) =>
        commitCosigned(market, at, { encoding: "bitmap", nodeCount: count, bits });
      // Lowest bit first: the last byte holds those of the last nodes.
      const bytes = Math.ceil(count / 8);
      const bitmap = (...bits: number[]) => {
        const bitmap = Buffer.alloc(bytes);
        for (const bit of bits) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
        return `0x${bitmap.toString("hex")}` as Hex;
      };
      if (count % 8 !== 0) {
        const beside = { length: BigInt(bytes), nodeCount: count };
        await expectRevert(commit(slot, bitmap(count)), "HeartbeatBitsInvalid", beside);
      }
      await commit(slot, bitmap(count - 1));
      await commit(slot - 1n, bitmap(...names.keys()));
      for (const at of [slot, slot - 1n]) {
        expect(await computeNode.read.heartbeatHash([at])).to.not.equal(`0x${"0".repeat(64)}`);
      }
    });
  }

  it("refuses bits of nodes that do not exist", async () => {
    const market = await loadMarket();
    const { computeNode } = market;
    await addNodes(market, ["a", "b", "c"]);
    const slot = await lastSlot(market);
    const commit = (kind: 0 | 1, nodeCount: number, bits: Hex) =>
      commitCosigned(market, slot, { encoding: kind === 0 ? "bitmap" : "absentees", nodeCount, bits });
    const invalid = "HeartbeatBitsInvalid";
    await expectRevert(commit(encoding.bitmap, 3, "0x"), invalid, { length: 0n, nodeCount: 3 });
    await expectRevert(commit(encoding.bitmap, 3, "0x0700"), invalid, { length: 2n, nodeCount: 3 });
    await expectRevert(commit(encoding.bitmap, 3, "0x08"), invalid, { length: 1n, nodeCount: 3 });
    await expectRevert(commit(encoding.absentees, 3, "0x0181"), invalid);
    await expectRevert(commit(encoding.absentees, 0, "0x01"), invalid);
    await expectRevert(commit(encoding.bitmap, 4, "0x0f"), "HeartbeatNodesUnknown", {
      nodeCount: 4,
      registered: 3,
    });
    await expectRevert(
      computeNode.write.commitHeartbeats([slot, encoding.bitmap, 3, "0x07"]),
      "CallerNotCommitter",
    );
  });
});
