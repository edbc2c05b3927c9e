import { gpuModels } from "@ngpu/proof/models";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { catalogueOf, classOf, modelIdOf, newestCatalogue } from "@ngpu/rewards/catalogue";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { claimantsOf, type NodeHistory, type NodeVersion } from "@ngpu/rewards/eligible";
import { packTerms, termsOf, unpackTerms } from "@ngpu/rewards/terms";
import { unitsOf } from "@ngpu/rewards/units";
import { expect } from "chai";
import { account } from "./market.ts";

const slotSeconds = 60;
const catalogue = catalogueOf(newestCatalogue);
const terms = defaultTerms({ slotSeconds });
const cpu = { gpus: 0, gpuModel: "0x0000000000000000", vramMib: 0, cpuMilli: 8_000 };
const gpu = { gpus: 2, gpuModel: modelIdOf("NVIDIA GeForce RTX 4090"), vramMib: 24_564, cpuMilli: 8_000 };

const version = (changes: Partial<NodeVersion> = {}): NodeVersion => ({
  ...cpu,
  ...{ from: 0, to: null, online: true, pricePerSecond: 1n },
  ...changes,
});

const history = (changes: Partial<NodeHistory> = {}): NodeHistory => ({
  ...{ nodeId: 1, account: account(1), reached: true, versions: [version()] },
  ...changes,
});

/** Ten slots from 100 on, in which nodes 1 and 2 are present. */
const presence = {
  ...{ firstSlot: 100, endSlot: 110, disputes: [], challenges: [] },
  slots: Array.from({ length: 10 }, (_, place) => ({
    slot: 100 + place,
    ...encodeHeartbeats(2, new Set([1, 2])),
  })),
};

const claimants = (...histories: NodeHistory[]) =>
  claimantsOf({ histories, presence, slotSeconds, terms, catalogue });
const slotsOf = (...versions: NodeVersion[]) => claimants(history({ versions })).claimants[0]?.slots ?? 0;

describe("what a node earns with", () => {
  it("is its cores, and its GPUs' memory up to the catalogue's figure, each in its class", () => {
    expect([...unitsOf(gpu, catalogue)]).to.deep.equal([
      [0, 8_000n],
      [2, 2n * 24_564n],
    ]);
    expect(unitsOf({ ...gpu, vramMib: 81_920 }, catalogue).get(2)).to.equal(2n * 24_576n);
    expect([...unitsOf({ ...gpu, gpuModel: modelIdOf("My GPU") }, catalogue)]).to.deep.equal([[0, 8_000n]]);
    expect([...unitsOf({ ...cpu, cpuMilli: 0 }, catalogue)]).to.deep.equal([]);
  });

  it("is additive: a machine in parts has the units of the whole", () => {
    const [one, other] = [
      unitsOf({ ...gpu, gpus: 1, cpuMilli: 3_000 }, catalogue),
      unitsOf({ ...gpu, gpus: 1, cpuMilli: 5_000 }, catalogue),
    ];
    for (const [place, amount] of unitsOf(gpu, catalogue)) {
      expect((one.get(place) ?? 0n) + (other.get(place) ?? 0n)).to.equal(amount);
    }
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
    expect(nodes).to.deep.equal([{ nodeId: 1, account: account(1), reached: true, present: 10, counted: 5 }]);
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

  it("pay an idle machine less than its idle power costs, for every model of the catalogue", () => {
    for (const model of gpuModels) {
      const units = BigInt(model.memoryGib * 1_024);
      const hourly = units * (terms.classes[classOf(model)]?.rate ?? 0n) * slotsPerHour;
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

  it("name a catalogue in which every model has one entry", () => {
    expect(new Set(gpuModels.map(({ name }) => modelIdOf(name))).size).to.equal(gpuModels.length);
    expect(() => catalogueOf(`0x${"0".repeat(64)}`)).to.throw("does not have");
  });
});
