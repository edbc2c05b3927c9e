import { operationsLimitOf } from "@ngpu/proof/hardware";
import { gpuModels } from "@ngpu/proof/models";
import { blockBytes, pageOperations } from "@ngpu/proof/terms";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { catalogueOf, newestCatalogue, trialCatalogue } from "@ngpu/rewards/catalogue";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { claimantsOf, type NodeHistory, type NodeVersion } from "@ngpu/rewards/eligible";
import { packTerms, termsOf, unpackTerms } from "@ngpu/rewards/terms";
import { unitsBy, unitsOf } from "@ngpu/rewards/units";
import { modelHashOf } from "@ngpu/waves/claims";
import type { ProvenDevice } from "@ngpu/waves/proofs";
import { expect } from "chai";
import { account, provenCpu, provenGpus } from "./market.ts";

const slotSeconds = 60;
const catalogue = catalogueOf(newestCatalogue);
const terms = defaultTerms({ slotSeconds });
const cpu = { gpus: 0, gpuModel: "0x0000000000000000", vramMib: 0, cpuMilli: 8_000 };
const gpu = { gpus: 2, gpuModel: modelHashOf("NVIDIA GeForce RTX 4090"), vramMib: 24_564, cpuMilli: 8_000 };

const version = (changes: Partial<NodeVersion> = {}): NodeVersion => ({
  ...cpu,
  from: 0,
  to: null,
  online: true,
  pricePerSecond: 1n,
  ...changes,
});

const history = (changes: Partial<NodeHistory> = {}): NodeHistory => ({
  nodeId: 1,
  account: account(1),
  reached: true,
  proof: provenCpu(64),
  versions: [version()],
  ...changes,
});

/** Ten slots from 100 on, in which nodes 1 and 2 are present. */
const presence = {
  firstSlot: 100,
  endSlot: 110,
  disputes: [],
  challenges: [],
  slots: Array.from({ length: 10 }, (_, place) => ({
    slot: 100 + place,
    ...encodeHeartbeats(2, new Set([1, 2])),
  })),
};

const claimants = (...histories: NodeHistory[]) =>
  claimantsOf({ histories, presence, slotSeconds, terms, catalogue });
const slotsOf = (...versions: NodeVersion[]) => claimants(history({ versions })).claimants[0]?.slots ?? 0;

describe("what a node earns with", () => {
  it("is the smaller of declared and proven: cores of its CPU, and MiB of its GPUs in the class of their reads", () => {
    const [card] = provenGpus("NVIDIA GeForce RTX 4090", 1) as [ProvenDevice];
    const devices = [card, card, ...provenCpu(6).devices];
    const mib = card.proven.bytes / 2n ** 20n;
    const of = (hardware: typeof gpu, known = devices) => [
      ...unitsOf(hardware, { judged: true, devices: known }, catalogue),
    ];
    expect(of(gpu)).to.deep.equal([
      [0, 6_000n],
      [2, 2n * mib],
    ]);
    expect(of({ ...gpu, cpuMilli: 2_000, vramMib: 1_000, gpus: 1 })).to.deep.equal([
      [0, 2_000n],
      [2, 1_000n],
    ]);
    expect(of({ ...gpu, gpuModel: modelHashOf("My GPU") })).to.deep.equal([[0, 6_000n]]);
    expect(of(gpu, [])).to.deep.equal([]);
  });

  it("is limited by the scarcest of memory, reads and operations", () => {
    const [{ proven }] = provenCpu(8).devices as [ProvenDevice];
    for (const figure of ["bytes", "bytesPerSecond", "operationsPerSecond"] as const)
      expect(unitsBy({ ...proven, [figure]: proven[figure] / 2n }, catalogue.cpu)).to.equal(4_000n);
  });

  it("is nothing for a GPU whose figures its name cannot have", () => {
    const [card] = provenGpus("NVIDIA H100 PCIe", 1) as [ProvenDevice];
    const small = modelHashOf("NVIDIA L4");
    const posing = { ...card, modelHash: small };
    const hardware = { gpus: 1, gpuModel: small, vramMib: 81_920, cpuMilli: 0 };
    expect([...unitsOf(hardware, { judged: true, devices: [posing] }, catalogue)]).to.deep.equal([]);
  });

  it("is nothing for a newcomer, and a quarter of a core where the market is tried out", () => {
    const newcomer = { judged: false, devices: [] };
    const trial = catalogueOf(trialCatalogue);
    expect([...unitsOf(gpu, newcomer, catalogue)]).to.deep.equal([]);
    expect([...unitsOf(gpu, newcomer, trial)]).to.deep.equal([[0, 250n]]);
    expect([...unitsOf(gpu, { ...newcomer, judged: true }, trial)]).to.deep.equal([]);
  });

  it("is nothing of a device that a tenant kept from its last wave, though its price is judged by it", () => {
    const kept = provenCpu(8, { earns: false });
    const { nodes, claimants: found } = claimants(history({ proof: kept }));
    expect(found).to.deep.equal([]);
    expect(nodes[0]).to.include({ counted: 10 });
    expect(nodes[0]?.proven).to.deep.equal({ cpu: 8_000n, gpu: 0n });
  });

  it("is additive: a machine in parts has the units of the whole", () => {
    const cards = provenGpus("NVIDIA GeForce RTX 4090", 2);
    const part = (cores: number, devices: readonly ProvenDevice[]) =>
      unitsOf(
        { ...gpu, gpus: devices.length, cpuMilli: 1_000 * cores },
        { judged: true, devices: [...devices, ...provenCpu(cores).devices] },
        catalogue,
      );
    const [one, other] = [part(3, cards.slice(1)), part(5, cards.slice(1))];
    for (const [place, amount] of part(8, cards))
      expect((one.get(place) ?? 0n) + (other.get(place) ?? 0n)).to.equal(amount);
  });

  it("is nothing without a measurement that reached it, or without presence", () => {
    expect(claimants(history({ reached: false })).claimants).to.deep.equal([]);
    expect(claimants(history({ nodeId: 3 })).claimants).to.deep.equal([]);
    expect(claimants(history()).claimants).to.have.length(1);
  });
});

describe("a slot", () => {
  it("does not count while the node is in Maintenance, not even in part", () => {
    expect(slotsOf(version({ online: false }))).to.equal(0);
    const back = 103 * slotSeconds + 1;
    expect(slotsOf(version({ online: false, to: back }), version({ from: back }))).to.equal(6);
  });

  it("does not count at a price above the ceiling, not even in part", () => {
    const ceiling = 8_000n * (terms.classes[0]?.ceiling ?? 0n);
    expect(slotsOf(version({ pricePerSecond: ceiling }))).to.equal(10);
    expect(slotsOf(version({ pricePerSecond: ceiling + 1n }))).to.equal(0);
    // Lower for one moment of each slot: the price must be at the ceiling throughout.
    const moments = Array.from({ length: 10 }, (_, place) => (100 + place) * slotSeconds + 30);
    const versions = moments.flatMap((at, place) => [
      version({ from: at, to: at + 5 }),
      version({ from: at + 5, to: moments[place + 1] ?? null, pricePerSecond: ceiling + 1n }),
    ]);
    expect(slotsOf(version({ to: moments[0] ?? 0, pricePerSecond: ceiling + 1n }), ...versions)).to.equal(0);
  });

  it("is stated with those in which the node was present", () => {
    const off = version({ from: 105 * slotSeconds, online: false });
    const { nodes } = claimants(history({ versions: [version({ to: 105 * slotSeconds }), off] }));
    expect(nodes[0]).to.include({ nodeId: 1, account: account(1), reached: true, present: 10, counted: 5 });
    expect(nodes[0]?.declared).to.deep.equal({ cpu: 8_000n, gpu: 0n });
  });

  it("counts with the smallest hardware of the epoch, so that none is declared for its last second", () => {
    const late = 109 * slotSeconds;
    const [share] = claimants(
      history({
        versions: [version({ to: late, cpuMilli: 1_000 }), version({ from: late, cpuMilli: 64_000 })],
      }),
    ).claimants;
    expect(share).to.include({ units: 1_000n, slots: 10 });
  });
});

describe("the default terms", () => {
  /** 1 NGPU and 1 kWh cost the same in the example of docs/rewards.md. */
  const wattHour = 10n ** 15n;
  const slotsPerHour = BigInt(3_600 / slotSeconds);

  it("pay an idle machine less than its idle power costs, for every model with published figures", () => {
    for (const model of gpuModels) {
      const units = BigInt(model.memoryGib * 1_024);
      const hourly = units * (terms.classes[1]?.rate ?? 0n) * slotsPerHour;
      // No card draws less than 0.25 W for each GiB of its memory while idle.
      const idle = (BigInt(model.memoryGib) * wattHour) / 4n;
      expect(hourly < idle, model.name).to.equal(true);
    }
    // No core of a server draws less than 1 W.
    expect(1_000n * (terms.classes[0]?.rate ?? 0n) * slotsPerHour < wattHour).to.equal(true);
  });

  it("survive their encoding for the chain, and apply from their epoch on", () => {
    expect(unpackTerms(packTerms(terms))).to.deep.equal(terms);
    const [first, second, third] = [1, 2, 3].map((bondDays) => ({ ...terms, bondDays }));
    const sets = [
      { fromEpoch: 1, terms: first as typeof terms },
      { fromEpoch: 5, terms: second as typeof terms },
      { fromEpoch: 5, terms: third as typeof terms },
    ];
    expect(termsOf(sets, 4)?.bondDays).to.equal(1);
    expect(termsOf(sets, 5)?.bondDays).to.equal(3);
    expect(termsOf([], 5)).to.equal(undefined);
  });

  it("pay a card that poses as CPUs less than under its own name, with all that it can make up", () => {
    const [cpuRate, gpuRate] = [terms.classes[0]?.rate ?? 0n, terms.classes[1]?.rate ?? 0n];
    for (const model of gpuModels) {
      // Cores that its memory is enough for, and those whose reads it could make up instead.
      const real = (BigInt(model.memoryGib * 1_024) * 2n ** 20n * catalogue.cpu.units) / catalogue.cpu.bytes;
      const pages = operationsLimitOf({ kind: "gpu", model: model.name }) / BigInt(pageOperations);
      const madeUp = (pages * BigInt(blockBytes) * catalogue.cpu.units) / catalogue.cpu.bytesPerSecond;
      const own = BigInt(model.memoryGib * 1_024) * gpuRate;
      expect((real + madeUp) * cpuRate < own, model.name).to.equal(true);
    }
  });

  it("name a catalogue that this version has", () => {
    expect(() => catalogueOf(`0x${"0".repeat(64)}`)).to.throw("does not have");
  });
});
