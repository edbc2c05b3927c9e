import { decodeDevice, encodeDevice, modelHashOf, operationsLimitBy } from "@ngpu/waves/claims";
import { drawMeasurers } from "@ngpu/waves/draw";
import { decodeExceptions, encodeExceptions } from "@ngpu/waves/exceptions";
import { beginsAt, blocksOf, nextAfter, windowOf } from "@ngpu/waves/schedule";
import { noShares } from "@ngpu/waves/shares";
import { batchTree, rootFrom } from "@ngpu/waves/tree";
import { expect } from "chai";
import fc from "fast-check";
import { bytesToHex, keccak256, stringToHex, toHex } from "viem";

const hashOf = (name: string | number) => keccak256(stringToHex(`${name}`));
const terms = {
  stride: 4,
  chance: 450,
  fillBlocks: 15,
  chaseBlocks: 6,
  workBlocks: 3,
  commitBlocks: 150,
  revealBlocks: 50,
};

describe("the schedule of waves", () => {
  it("has windows that follow each other, each after the block that gives its seed", () => {
    const blocks = blocksOf(1_000, terms);
    expect(blocks).to.include({ chase: 1_015, work: 1_021, answered: 1_024, audit: 1_025, committed: 1_175 });
    const windows = (["chase", "answers", "results", "reveal"] as const).map((stage) =>
      windowOf(stage, blocks),
    );
    expect(windows[0]?.first).to.equal(blocks.chase + 1);
    expect(windows[2]?.first).to.equal(blocks.audit + 1);
    for (const [index, { first, last }] of windows.entries()) {
      expect(last).to.be.at.least(first);
      expect(first).to.be.greaterThan(windows[index - 1]?.last ?? 0);
    }
    expect(nextAfter(blocks)).to.equal(blocks.audit + 1);
  });

  it("draws one in so many blocks of a stride, by the block alone", () => {
    const drawn = Array.from({ length: 8_000 }, (_, number) => ({ number, hash: hashOf(number) })).filter(
      (block) => beginsAt(block, { ...terms, chance: 25 }),
    );
    expect(drawn.every(({ number }) => number % 4 === 0)).to.equal(true);
    expect(drawn.length).to.be.within(50, 115);
  });
});

describe("the measurers of a wave", () => {
  const candidates = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ measurerId: index + 1, operator: `0x${index % 9}` }));

  it("are of distinct operators, in any order of candidates", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer(), (count, seed) => {
        const drawn = drawMeasurers(candidates(count), hashOf(seed), 7);
        expect(drawMeasurers(candidates(count).reverse(), hashOf(seed), 7)).to.deep.equal(drawn);
        expect(new Set(drawn.map(({ operator }) => operator)).size).to.equal(drawn.length);
        expect(drawn.length).to.equal(Math.min(7, 9, count));
      }),
    );
  });
});

const device = fc.record({ nodeId: fc.nat(2 ** 32 - 1), device: fc.nat(63) });
const partial = fc.record({
  memory: fc.nat(254),
  bandwidth: fc.nat(255),
  arithmetic: fc.nat(255),
});
const exceptions = fc.uniqueArray(
  device.chain((ref) => partial.map((shares) => ({ ...ref, shares }))),
  { selector: ({ nodeId, device: place }) => `${nodeId}/${place}` },
);

describe("a list of exceptions", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(exceptions, (given) => {
        const found = decodeExceptions(encodeExceptions(given));
        expect(found?.size).to.equal(given.length);
        for (const { nodeId, device: place, shares } of given)
          expect(found?.get(`${nodeId}/${place}`)).to.deep.equal(shares);
      }),
    );
  });

  it("has a byte for a node that did not answer, where one in fifty does not", () => {
    const silent = Array.from({ length: 200 }, (_, index) => ({
      nodeId: 50 * (index + 1),
      device: 0,
      shares: noShares,
    }));
    expect(encodeExceptions(silent).length).to.equal(2 + 2 * 200);
  });

  it("is none when it is cut, out of order, repeated, longer than it must be, or lists a device without an exception", () => {
    const shares = { memory: 1, bandwidth: 2, arithmetic: 3 };
    const one = encodeExceptions([{ nodeId: 1, device: 3, shares }]).slice(2);
    expect(one).to.equal("0383010203");
    expect(decodeExceptions(`0x${one}02`)?.size).to.equal(2);
    const invalid = {
      cut: one.slice(2),
      repeated: `${one}0183010203`,
      before: `${one}0182010203`,
      whole: "0383ffffff",
      longNumber: "820000",
      silentAsPartial: "0383000000",
      firstAsOther: "0300",
      device: "0340",
      endless: "ffffffffff",
    };
    for (const [name, list] of Object.entries(invalid))
      expect(decodeExceptions(`0x${list}`), name).to.equal(undefined);
  });

  it("is none or the only form of what it says, whatever its bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const list = bytesToHex(bytes);
        const found = decodeExceptions(list);
        if (found === undefined) return;
        const again = [...found].map(([key, shares]) => {
          const [nodeId = 0, place = 0] = key.split("/").map(Number);
          return { nodeId, device: place, shares };
        });
        expect(encodeExceptions(again)).to.equal(list);
      }),
    );
  });
});

describe("a batch of answers", () => {
  const leaves = fc.uniqueArray(device, {
    maxLength: 40,
    selector: ({ nodeId, device: at }) => `${nodeId}/${at}`,
  });

  it("has the root that each of its leaves shows, and no other leaf shows", () => {
    fc.assert(
      fc.property(leaves, (refs) => {
        const given = refs.map((ref, index) => ({ ...ref, value: hashOf(index) }));
        const tree = batchTree("answers", given);
        expect(batchTree("answers", [...given].reverse()).root).to.equal(tree.root);
        for (const leaf of given) {
          const path = tree.pathOf(leaf);
          if (path === undefined) throw new Error("The leaf has no path.");
          expect(rootFrom("answers", leaf, path)).to.equal(tree.root);
          expect(rootFrom("chase", leaf, path)).to.not.equal(tree.root);
          expect(rootFrom("answers", { ...leaf, value: hashOf("other") }, path)).to.not.equal(tree.root);
        }
      }),
    );
  });
});

describe("a claim's word", () => {
  it("keeps figures in MiB and millions, and the hardware", () => {
    const claimed = {
      figures: {
        bytes: 80n * 2n ** 30n,
        bytesPerSecond: 3_350_000_000_000n,
        operationsPerSecond: 30_000_000n,
      },
      hardware: { kind: "gpu" as const, modelHash: modelHashOf("NVIDIA H100 80GB HBM3") },
    };
    expect(decodeDevice(encodeDevice(claimed))).to.deep.equal(claimed);
    const cpu = { ...claimed, hardware: { kind: "cpu" as const, cores: 64 } };
    expect(decodeDevice(encodeDevice(cpu))).to.deep.equal(cpu);
    expect(operationsLimitBy(cpu)).to.equal(6_400_000_000_000n);
  });

  it("bounds every word that comes from outside", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (value) => {
        const claimed = decodeDevice(toHex(value, { size: 32 }));
        expect(operationsLimitBy(claimed) > 0n).to.equal(true);
        expect(claimed.figures.bytes < 2n ** 52n).to.equal(true);
      }),
    );
  });
});
