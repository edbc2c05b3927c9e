import { contradictionsOf, modelsThatFit, operationsLimitOf } from "@ngpu/proof/hardware";
import { gpuModels } from "@ngpu/proof/models";
import {
  countedOf,
  isHeld,
  medianOf,
  operationsOf,
  provenBytes,
  readsOf,
  sharingOf,
  unitsOf,
} from "@ngpu/proof/proven";
import { layoutOf, limits, mostLanes, pageOperations } from "@ngpu/proof/terms";
import { expect } from "chai";
import fc from "fast-check";

const amount = fc.bigInt(0n, 2n ** 60n);
const figures = fc.record({ bytes: amount, bytesPerSecond: amount, operationsPerSecond: amount });
const GiB = 2n ** 30n;

describe("the figures of a proof of hardware", () => {
  it("count the smaller of declared and proven, and nothing without a proof", () => {
    fc.assert(
      fc.property(figures, figures, (declared, proven) => {
        const counted = countedOf(declared, proven);
        for (const name of ["bytes", "bytesPerSecond", "operationsPerSecond"] as const) {
          expect(counted[name] <= declared[name] && counted[name] <= proven[name]).to.equal(true);
          expect([declared[name], proven[name]]).to.include(counted[name]);
        }
        expect(Object.values(countedOf(declared, undefined))).to.deep.equal([0n, 0n, 0n]);
      }),
    );
  });

  it("prove less memory the more reads may have been made up, and never more than declared", () => {
    const given = fc.record({
      bytes: amount,
      reads: fc.bigInt(1n, 2n ** 50n),
      milliseconds: fc.integer({ min: 1, max: 600_000 }),
      operationsLimit: fc.bigInt(1n, 2n ** 60n),
    });
    fc.assert(
      fc.property(given, (of) => {
        const proven = provenBytes(of);
        expect(proven >= 0n && proven <= of.bytes).to.equal(true);
        expect(provenBytes({ ...of, operationsLimit: of.operationsLimit * 2n }) <= proven).to.equal(true);
        expect(provenBytes({ ...of, reads: of.reads * 2n }) >= proven).to.equal(true);
      }),
    );
  });

  it("show four fifths of the memory where a fifth of the reads may be made up", () => {
    const bytes = 100n;
    const of = { bytes, reads: 1_000n, milliseconds: 1_000 };
    const limit = (pages: number) => BigInt(pages) * BigInt(pageOperations);
    expect(provenBytes({ ...of, operationsLimit: limit(200) })).to.equal(80n);
    expect(isHeld(bytes, 80n)).to.equal(true);
    expect(isHeld(bytes, 79n)).to.equal(false);
    expect(provenBytes({ ...of, operationsLimit: limit(1_000) })).to.equal(0n);
  });

  it("prove less of several windows, whose pages may serve several reads of a segment", () => {
    const layout = { ...(layoutOf(64n * GiB) ?? expect.fail()), windowPages: 2 ** 23 };
    const of = {
      bytes: 1_000_000n,
      reads: 10_000n,
      milliseconds: 1_000,
      operationsLimit: BigInt(pageOperations) * 1_000n,
    };
    expect(Number(provenBytes({ ...of, sharing: sharingOf(layout, 16) }))).to.be.within(899_000, 900_000);
    const most = sharingOf(layout, layout.windowPages / 128);
    expect(provenBytes({ ...of, sharing: most })).to.equal(841_700n);
    // The bound is above what pages that are kept for one segment serve: x / (1 - e^-x) reads each, with x = 1.
    expect(Number(most.reads) / Number(most.pages)).to.be.above(1 / (1 - Math.exp(-1)));
    const single = layoutOf(GiB) ?? expect.fail();
    expect(sharingOf(single, mostLanes(single))).to.deep.equal({ reads: 1n, pages: 1n });
  });

  it("count reads, operations and units without rounding up", () => {
    expect(readsOf({ lanes: 16, legs: 3 })).to.equal(16n * 3n * 4_096n);
    expect(operationsOf({ lanes: 16, legs: 3 })).to.equal(16n * 3n * 32n * 4_096n * 96n);
    expect(
      unitsOf({ bytes: GiB + 1n, bytesPerSecond: 1_999_999n, operationsPerSecond: 999_999n }),
    ).to.deep.equal({ memory: 1_000n, bandwidth: 1n, arithmetic: 0n });
  });

  it("are the lower median of the waves", () => {
    expect(medianOf([])).to.equal(undefined);
    expect(medianOf([9n])).to.equal(9n);
    expect(medianOf([9n, 1n])).to.equal(1n);
    expect(medianOf([5n, 0n, 9n, 100n, 1n])).to.equal(5n);
  });
});

describe("the figures of models", () => {
  const fits = (bytes: bigint, gbPerSecond: number, gops: number) => ({
    bytes,
    bytesPerSecond: BigInt(gbPerSecond) * 1_000_000_000n,
    operationsPerSecond: BigInt(gops) * 1_000_000_000n,
  });

  it("have a source and positive figures, and each name once", () => {
    for (const { name, memoryGib, gbPerSecond, teraflops, source } of gpuModels) {
      expect(Math.min(memoryGib, gbPerSecond, teraflops), name).to.be.greaterThan(0);
      expect(source, name).to.not.equal("");
    }
    expect(new Set(gpuModels.map(({ name }) => name)).size).to.equal(gpuModels.length);
  });

  it("contradict a smaller card that poses as a larger one only where it shows more", () => {
    const model = "NVIDIA GeForce RTX 3060";
    expect(contradictionsOf(model, fits(12n * GiB, 340, 6_000))).to.deep.equal([]);
    expect(contradictionsOf(model, fits(13n * GiB, 340, 6_000)).map(({ figure }) => figure)).to.deep.equal([
      "memory",
    ]);
    expect(contradictionsOf(model, fits(12n * GiB, 900, 30_000)).map(({ figure }) => figure)).to.deep.equal([
      "bandwidth",
      "arithmetic",
    ]);
    expect(contradictionsOf("a model of tomorrow", fits(999n * GiB, 99_999, 99_999))).to.deep.equal([]);
  });

  it("cannot tell apart what the documentation lists", () => {
    const names = modelsThatFit(fits(72n * GiB, 1_000, 9_000)).map(({ name }) => name);
    expect(names).to.include.members(["NVIDIA A100 80GB PCIe", "NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3"]);
    expect(names).to.not.include("NVIDIA GeForce RTX 4090");
  });

  it("limit a MIG device by its compute slices, of four at least", () => {
    const limitOf = (model: string) => operationsLimitOf({ kind: "gpu", model });
    const card = limitOf("NVIDIA H100 80GB HBM3");
    expect(limitOf("NVIDIA H100 80GB HBM3 MIG 1g.10gb")).to.equal(card / 4n);
    expect(limitOf("NVIDIA H100 80GB HBM3 MIG 1g.10gb+me")).to.equal(card / 4n);
    expect(limitOf("NVIDIA H100 80GB HBM3 MIG 3g.40gb")).to.equal((3n * card) / 4n);
    expect(limitOf("NVIDIA H100 80GB HBM3 MIG 7g.80gb")).to.equal(card);
    expect(limitOf("NVIDIA H100 80GB HBM3 MIG 0g.10gb")).to.equal(limitOf("a model of tomorrow"));
  });

  it("limit what declared hardware can make up, and unknown hardware by the fastest known", () => {
    expect(operationsLimitOf({ kind: "cpu", cores: 2 })).to.equal(200_000_000_000n);
    expect(operationsLimitOf({ kind: "gpu", model: "Tesla T4" })).to.equal(4_657_500_000_000n);
    const most = operationsLimitOf({ kind: "gpu", model: "a model of tomorrow" });
    for (const { name } of gpuModels)
      expect(operationsLimitOf({ kind: "gpu", model: name }) <= most, name).to.equal(true);
  });
});

describe("the layout of a claimed memory", () => {
  it("fills between 88 and 90 percent of 64 MiB and more, in windows of at most 16 GiB", () => {
    fc.assert(
      fc.property(fc.bigInt(2n ** 26n, limits.bytes.most), (bytes) => {
        const layout = layoutOf(bytes);
        if (layout === undefined) throw new Error("this size has a layout");
        expect(layout.filledBytes * 100n >= bytes * 88n && layout.filledBytes * 10n <= bytes * 9n).to.equal(
          true,
        );
        expect(layout.chunkPages % 16).to.equal(0);
        expect(layout.windowPages).to.be.at.most(2 ** 24);
        expect(layout.windows * layout.windowPages).to.be.below(2 ** 32);
        expect(mostLanes(layout)).to.be.within(limits.lanes.least, layout.windowPages / 128);
      }),
    );
  });

  it("has sixteen lanes of a chase even at the least size, and is absent outside the limits", () => {
    expect(mostLanes(layoutOf(limits.bytes.least) ?? expect.fail())).to.equal(16);
    for (const bytes of [0n, 1n, limits.bytes.least - 1n, limits.bytes.most + 1n, 2n ** 64n - 1n])
      expect(layoutOf(bytes), String(bytes)).to.equal(undefined);
  });
});
