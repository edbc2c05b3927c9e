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

describe("node: quota of prefetched images", () => {
  it("evicts the least recently used images, and no more than necessary", () => {
    const entries = [entry("old", 40), entry("newer", 40), entry("newest", 10)];
    const evicted = (sizeBytes: number, inUse: string[] = []) =>
      decideEvictions(entries, { sizeBytes, inUse: new Set(inUse), limitBytes: 100 });
    expect(evicted(10)).to.deep.equal([]);
    expect(evicted(30)).to.deep.equal(["old"]);
    expect(evicted(30, ["old"])).to.deep.equal(["newer"]);
    expect(evicted(101)).to.equal(undefined);
    expect(evicted(70, ["old"])).to.equal(undefined);
  });

  it("never evicts an image in use and never exceeds the limit", () => {
    const entries = fc.array(fc.record({ sizeBytes: fc.nat(50), used: fc.boolean() }), { maxLength: 8 });
    fc.assert(
      fc.property(entries, fc.nat(100), fc.nat(200), (given, sizeBytes, limitBytes) => {
        const all = given.map((one, index) => ({ ...entry(`${index}`, one.sizeBytes), used: one.used }));
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

describe("node: download priority", () => {
  /** A download that ends when `end` is called or when it is aborted. */
  function download() {
    const end = Promise.withResolvers<string>();
    const begun: AbortSignal[] = [];
    const run = (signal: AbortSignal) => {
      begun.push(signal);
      signal.addEventListener("abort", () => end.resolve("aborted"), { once: true });
      return end.promise;
    };
    return { run, begun, end: () => end.resolve("done") };
  }

  it("aborts a background download when a lease downloads, and restarts it afterwards", async () => {
    const priority = createDownloadPriority();
    const attempts = [download(), download()];
    let begun = 0;
    const background = priority.inBackground(
      "one",
      (signal) => (attempts[begun++] as (typeof attempts)[0]).run(signal),
      new AbortController().signal,
    );
    expect(begun).to.equal(1);
    const leases = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const done = leases.map(({ promise }) => priority.forLease("two", () => promise));
    expect(attempts[0]?.begun[0]?.aborted).to.equal(true);
    leases[0]?.resolve();
    await done[0];
    expect(begun).to.equal(1);
    leases[1]?.resolve();
    await done[1];
    attempts[1]?.end();
    expect(await background).to.equal("done");
    expect(begun).to.equal(2);
  });

  it("keeps a background download of the same image, and continues after a failed download of a lease", async () => {
    const priority = createDownloadPriority();
    const { run, begun, end } = download();
    const { signal } = new AbortController();
    const background = priority.inBackground("one", run, signal);
    const failing = priority.forLease("one", () => Promise.reject(new Error("no registry")));
    expect(begun[0]?.aborted).to.equal(false);
    expect(await failing.catch((error: Error) => error.message)).to.equal("no registry");
    end();
    expect(await background).to.equal("done");
    expect(await priority.inBackground("three", async () => "done", signal)).to.equal("done");
  });

  it("aborts all background downloads when a lease downloads", async () => {
    const priority = createDownloadPriority();
    const { signal } = new AbortController();
    const attempts = [download(), download()];
    const results = attempts.map(({ run }, index) => {
      let started = 0;
      return priority.inBackground(
        `image ${index}`,
        async (stop) => (started++ === 0 ? run(stop) : "restarted"),
        signal,
      );
    });
    await priority.forLease("another image", async () => undefined);
    expect(attempts.map(({ begun }) => begun[0]?.aborted)).to.deep.equal([true, true]);
    expect(await Promise.all(results)).to.deep.equal(["restarted", "restarted"]);
  });

  it("removes its listener from the node's signal", async () => {
    const priority = createDownloadPriority();
    const { signal } = new AbortController();
    await priority.inBackground("one", async () => "done", signal);
    expect(getEventListeners(signal, "abort")).to.deep.equal([]);
  });

  it("stops waiting when the node stops", async () => {
    const priority = createDownloadPriority();
    const stop = new AbortController();
    void priority.forLease("two", () => new Promise(() => undefined));
    const background = priority.inBackground("one", async (signal) => signal.aborted, stop.signal);
    stop.abort();
    expect(await background).to.equal(true);
  });
});

describe("node: reports of prefetched images", () => {
  const reference = (digit: string) => `registry.test/one@sha256:${digit.repeat(64)}`;
  const image = (digit: string) => `0x${digit.repeat(64)}`;

  /** A prefetcher on a journal in a directory, with the messages it sends. */
  async function open(folder: string) {
    const journal = openJournal(join(folder, "journal.db"));
    const sent: unknown[] = [];
    const prefetcher = createPrefetcher({
      journal,
      send: (message: unknown) => sent.push(message) > 0,
      // No image is pulled or removed here.
      engine: undefined as never,
      dataDir: folder,
      logger: undefined as never,
      signal: new AbortController().signal,
      inUse: () => new Set(),
      limitGib: 1,
      downloadPriority: createDownloadPriority(),
    });
    return { journal, prefetcher, sent };
  }

  it("repeats them in each session, also after a restart, until the image is present again", async () => {
    using dir = temporaryDir();
    const first = await open(dir.path);
    putPrefetched(first.journal, { reference: reference("a"), sizeBytes: 5, usedAt: 1 });
    putPrefetched(first.journal, { reference: reference("b"), sizeBytes: 5, usedAt: 2 });
    recordEvicted(first.journal, reference("a"));
    first.journal.close();
    const again = await open(dir.path);
    for (let session = 0; session < 2; session += 1) {
      again.sent.length = 0;
      again.prefetcher.repeat();
      expect(again.sent).to.deep.equal([
        { type: "prefetched", image: image("b"), outcome: "present" },
        { type: "prefetched", image: image("a"), outcome: "evicted" },
      ]);
    }
    putPrefetched(again.journal, { reference: reference("a"), sizeBytes: 5, usedAt: 3 });
    again.sent.length = 0;
    again.prefetcher.repeat();
    expect(again.sent.map((one) => (one as { outcome: string }).outcome)).to.deep.equal([
      "present",
      "present",
    ]);
    again.journal.close();
  });
});
