import { expect } from "chai";
import fc from "fast-check";
import { decideEvictions } from "../../node-client/prefetch.ts";

const entry = (reference: string, sizeBytes: number, usedAt = 0) => ({ reference, sizeBytes, usedAt });

describe("node: room for prefetched images", () => {
  it("takes away the least recently used, and no more than it must", () => {
    const entries = [entry("old", 40), entry("newer", 40), entry("newest", 10)];
    const evicted = (sizeBytes: number, inUse: string[] = []) =>
      decideEvictions(entries, { sizeBytes, inUse: new Set(inUse), limitBytes: 100 });
    expect(evicted(10)).to.deep.equal([]);
    expect(evicted(30)).to.deep.equal(["old"]);
    expect(evicted(30, ["old"])).to.deep.equal(["newer"]);
    expect(evicted(101)).to.equal(undefined);
    expect(evicted(70, ["old"])).to.equal(undefined);
  });

  it("never takes away what is in use, nor goes beyond the limit", () => {
    const entries = fc.array(fc.record({ sizeBytes: fc.nat(50), used: fc.boolean() }), { maxLength: 8 });
    fc.assert(
      fc.property(entries, fc.nat(100), fc.nat(200), (given, sizeBytes, limitBytes) => {
        const all = given.map((one, place) => ({ ...entry(`${place}`, one.sizeBytes), used: one.used }));
        const inUse = new Set(all.filter(({ used }) => used).map(({ reference }) => reference));
        const evicted = decideEvictions(all, { sizeBytes, inUse, limitBytes });
        const left = all.filter(({ reference }) => !(evicted ?? []).includes(reference));
        const sum = (some: typeof all) => some.reduce((total, one) => total + one.sizeBytes, 0);
        expect((evicted ?? []).some((reference) => inUse.has(reference))).to.equal(false);
        if (evicted !== undefined) expect(sum(left) + sizeBytes).to.be.at.most(limitBytes);
        else expect(sum(all.filter(({ used }) => used)) + sizeBytes).to.be.above(limitBytes);
      }),
    );
  });
});
