import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { openJournal } from "../../node-client/journal/open.ts";
import { noteEvicted, putPrefetched } from "../../node-client/journal/prefetched.ts";
import { createPrefetcher, decideEvictions } from "../../node-client/prefetch.ts";
import { temporaryDir } from "../embedded/setup.ts";

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

describe("node: what it says of prefetched images", () => {
  const reference = (digit: string) => `registry.test/one@sha256:${digit.repeat(64)}`;
  const image = (digit: string) => `0x${digit.repeat(64)}`;

  /** A prefetcher on a journal in a folder, with what it sends. */
  async function open(folder: string) {
    const journal = openJournal(join(folder, "journal.db"));
    const said: unknown[] = [];
    const prefetcher = createPrefetcher({
      journal,
      send: (message: unknown) => said.push(message) > 0,
      // Nothing is pulled or taken off here.
      engine: undefined as never,
      dataDir: folder,
      logger: undefined as never,
      signal: new AbortController().signal,
      inUse: () => new Set(),
      limitGib: 1,
    });
    return { journal, prefetcher, said };
  }

  it("is said again at each session, after a restart too, until the image is there once more", async () => {
    using dir = temporaryDir();
    const first = await open(dir.path);
    putPrefetched(first.journal, { reference: reference("a"), sizeBytes: 5, usedAt: 1 });
    putPrefetched(first.journal, { reference: reference("b"), sizeBytes: 5, usedAt: 2 });
    noteEvicted(first.journal, reference("a"));
    first.journal.close();
    const again = await open(dir.path);
    for (let session = 0; session < 2; session += 1) {
      again.said.length = 0;
      again.prefetcher.repeat();
      expect(again.said).to.deep.equal([
        { type: "prefetched", image: image("b"), outcome: "present" },
        { type: "prefetched", image: image("a"), outcome: "evicted" },
      ]);
    }
    putPrefetched(again.journal, { reference: reference("a"), sizeBytes: 5, usedAt: 3 });
    again.said.length = 0;
    again.prefetcher.repeat();
    expect(again.said.map((one) => (one as { outcome: string }).outcome)).to.deep.equal([
      "present",
      "present",
    ]);
    again.journal.close();
  });
});
