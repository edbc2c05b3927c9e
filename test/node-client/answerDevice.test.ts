import { auditSeedOf, seedsOf } from "@ngpu/proof/seeds";
import type { WavePartName } from "@ngpu/protocol/waves";
import { NgpuError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import type { Gpu } from "../../node-client/probe/gpu.ts";
import { answerDevice } from "../../node-client/waves/answerDevice.ts";
import { awaitBlock } from "../../node-client/waves/chainBlocks.ts";
import { waveContainer } from "../../node-client/waves/container.ts";
import { isTaken, visibleTo, waveDevices } from "../../node-client/waves/devices.ts";
import { blockHash } from "../packages/proof/claims.ts";

const order = {
  nodeId: 7,
  blocks: { fill: 100, chase: 115, work: 145, answered: 151, audit: 152 },
  milliseconds: { chase: 60_000, work: 12_000 },
};
const hashOf = (number: number) => blockHash(`block ${number}`);
const blocks = { fill: hashOf(100), chase: hashOf(115), work: hashOf(145), audit: hashOf(152) };
const committed = { lanes: 16, legs: 1, root: hashOf(1) } as const;
const times = { milliseconds: 1, cpuMilliseconds: 1 };
const gpu = (uuid: string): Gpu => ({ name: "NVIDIA L4", uuid, memoryMib: 24_576, computeCapability: 89 });

/** Answers with a prover that notes what it is asked for, `late` milliseconds after each block. */
async function answered(late: number) {
  const asked: unknown[] = [];
  const parts: WavePartName[] = [];
  await answerDevice(
    {
      prover: {
        fill: async (memory) => {
          asked.push(memory);
          return { ...times, filledBytes: memory.bytes };
        },
        run: async (kind, options) => {
          asked.push({ kind, ...options });
          return { ...committed, ...times };
        },
        transcript: async (seed) => {
          asked.push(seed);
          return new Uint8Array(8);
        },
      },
      blockAt: async (number) => ({ hash: hashOf(number), at: 1_000_000 }),
      publish: async (part) => void parts.push(part),
      now: () => 1_000_000 + late,
    },
    order,
    { device: 0, bytes: 2n ** 30n },
  );
  return { asked, parts };
}

describe("a device in a wave", () => {
  it("is filled, chased and put to work by the seeds of the wave's blocks", async () => {
    const { asked, parts } = await answered(1_000);
    const claim = { nodeId: 7n, device: 0, blocks };
    const seeds = seedsOf(claim);
    expect(asked).to.deep.equal([
      { seed: seeds.fill, bytes: 2n ** 30n },
      { kind: "chase", seed: seeds.chase, milliseconds: 60_000 - 1_000 - 4_000 },
      { kind: "work", seed: seeds.work, milliseconds: 12_000 - 1_000 - 4_000 },
      auditSeedOf(claim, { chase: committed, work: committed }),
    ]);
    expect(parts).to.deep.equal(["chase", "answer", "transcript"]);
  });

  it("uses no more than the part's time when its clock is behind the chain's", async () => {
    const { asked } = await answered(-3_600_000);
    expect(asked[1]).to.deep.include({ milliseconds: 56_000 });
  });

  it("does not begin a part of which too little is left", async () => {
    const error = await answered(9_000).catch((refusal: unknown) => refusal);
    expect(error).to.be.instanceOf(NgpuError);
    expect(error).to.include({ code: "wave_part_late" });
  });

  it("does not wait for a block beyond the wave's end", async () => {
    const client = { getBlock: () => Promise.reject(new Error("no block")) };
    const signal = new AbortController().signal;
    const error = await awaitBlock(client, 1, { until: Date.now() + 50, signal }).catch((e: unknown) => e);
    expect(error).to.include({ code: "wave_block_missing" });
  });
});

describe("the devices of a wave", () => {
  const devices = waveDevices([gpu("GPU-a"), gpu("GPU-b")]);

  it("are the GPUs in their order, then the CPU", () => {
    expect(devices.map(({ device, kind }) => [device, kind])).to.deep.equal([
      [0, "gpu"],
      [1, "gpu"],
      [2, "cpu"],
    ]);
    expect(devices.map((device) => visibleTo(device))).to.deep.equal([
      ["CUDA_VISIBLE_DEVICES=GPU-a"],
      ["CUDA_VISIBLE_DEVICES=GPU-b"],
      ["CUDA_VISIBLE_DEVICES="],
    ]);
  });

  it("are left to a tenant who has them: a GPU of a lease, and the CPU beside any lease", () => {
    const taken = (leases: string[][]) =>
      devices.map((device) =>
        isTaken(
          device,
          leases.map((gpuUuids) => ({ gpuUuids })),
        ),
      );
    expect(taken([])).to.deep.equal([false, false, false]);
    expect(taken([["GPU-b"]])).to.deep.equal([false, true, true]);
    expect(taken([[]])).to.deep.equal([false, false, true]);
  });

  it("are handed over as to a tenant, in the sandbox of tenants, with the least weight", () => {
    const { HostConfig, Env, User } = waveContainer(
      { market: "m", node: "0xabcdef0123" } as Parameters<typeof waveContainer>[0],
      {
        order: {
          label: "100",
          image: "r",
          port: 42_000,
          token: "what-measurers-show",
          claims: [
            { device: 0, bytes: 2n ** 34n },
            { device: 2, bytes: 2n ** 33n },
          ],
          closesAt: 1,
        },
        devices: devices.filter(({ device }) => device !== 1),
        user: "root",
        cpuMilli: 2_000,
        driverToken: "what-the-client-shows",
      },
    );
    expect(User).to.equal("65534:65534");
    expect(HostConfig).to.deep.include({
      CapDrop: ["ALL"],
      Privileged: false,
      ReadonlyRootfs: true,
      CpuShares: 2,
      NanoCpus: 2_000_000_000,
      DeviceRequests: [{ Driver: "nvidia", DeviceIDs: ["GPU-a"], Capabilities: [["gpu"]] }],
    });
    // The CPU's claim of 8 GiB is the container's own memory; that of a GPU is not.
    expect(HostConfig?.Memory).to.be.within(8 * 2 ** 30, 12 * 2 ** 30);
    expect(Env).to.include("NVIDIA_VISIBLE_DEVICES=GPU-a");
  });
});
