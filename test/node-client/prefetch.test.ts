import { getEventListeners } from "node:events";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { createDownloadPriority } from "../../node-client/downloadPriority.ts";
import { openJournal } from "../../node-client/journal/open.ts";
import { putPrefetched, recordEvicted } from "../../node-client/journal/prefetched.ts";
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

describe("node: who downloads first", () => {
  /** A download that ends when it is told to, or is broken off. */
  function download() {
    const end = Promise.withResolvers<string>();
    const begun: AbortSignal[] = [];
    const run = (signal: AbortSignal) => {
      begun.push(signal);
      signal.addEventListener("abort", () => end.resolve("broken off"), { once: true });
      return end.promise;
    };
    return { run, begun, end: () => end.resolve("done") };
  }

  it("breaks off what is brought ahead of demand when a lease downloads, and brings it afterwards", async () => {
    const way = createDownloadPriority();
    const tries = [download(), download()];
    let begun = 0;
    const ahead = way.ahead(
      "one",
      (signal) => (tries[begun++] as (typeof tries)[0]).run(signal),
      new AbortController().signal,
    );
    expect(begun).to.equal(1);
    const leases = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const done = leases.map(({ promise }) => way.forLease("two", () => promise));
    expect(tries[0]?.begun[0]?.aborted).to.equal(true);
    leases[0]?.resolve();
    await done[0];
    expect(begun).to.equal(1);
    leases[1]?.resolve();
    await done[1];
    tries[1]?.end();
    expect(await ahead).to.equal("done");
    expect(begun).to.equal(2);
  });

  it("lets a lease wait for the same image, and goes on after a lease's download that failed", async () => {
    const way = createDownloadPriority();
    const { run, begun, end } = download();
    const { signal } = new AbortController();
    const ahead = way.ahead("one", run, signal);
    const failing = way.forLease("one", () => Promise.reject(new Error("no registry")));
    expect(begun[0]?.aborted).to.equal(false);
    expect(await failing.catch((error: Error) => error.message)).to.equal("no registry");
    end();
    expect(await ahead).to.equal("done");
    expect(await way.ahead("three", async () => "at once", signal)).to.equal("at once");
  });

  it("listens to the node's stop no longer than it takes", async () => {
    const way = createDownloadPriority();
    const { signal } = new AbortController();
    await way.ahead("one", async () => "done", signal);
    expect(getEventListeners(signal, "abort")).to.deep.equal([]);
  });

  it("waits no more once the node stops", async () => {
    const way = createDownloadPriority();
    const stop = new AbortController();
    void way.forLease("two", () => new Promise(() => undefined));
    const ahead = way.ahead("one", async (signal) => signal.aborted, stop.signal);
    stop.abort();
    expect(await ahead).to.equal(true);
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
      downloadPriority: createDownloadPriority(),
    });
    return { journal, prefetcher, said };
  }

  it("is said again at each session, after a restart too, until the image is there once more", async () => {
    using dir = temporaryDir();
    const first = await open(dir.path);
    putPrefetched(first.journal, { reference: reference("a"), sizeBytes: 5, usedAt: 1 });
    putPrefetched(first.journal, { reference: reference("b"), sizeBytes: 5, usedAt: 2 });
    recordEvicted(first.journal, reference("a"));
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
