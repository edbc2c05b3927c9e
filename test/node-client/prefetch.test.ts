import { createHash } from "node:crypto";
import { getEventListeners, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { unpackedBytes } from "@ngpu/protocol/imageDiskSpace";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import fc from "fast-check";
import { openEngine } from "../../node-client/docker/engine.ts";
import { createDownloadPriority } from "../../node-client/downloadPriority.ts";
import { decideEvictions } from "../../node-client/evictions.ts";
import { openJournal } from "../../node-client/journal/open.ts";
import { putPrefetched, recordEvicted } from "../../node-client/journal/prefetched.ts";
import { createPrefetcher } from "../../node-client/prefetch.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { eventually } from "../services/support/context.ts";

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

describe("node: prefetches at the same time", () => {
  const sizeBytes = 1_000_000n;
  const digestOf = (name: string) => createHash("sha256").update(name).digest("hex");
  const referenceOf = (name: string) => `${name}.example/image@sha256:${digestOf(name)}`;
  const quotaOfOne = (1.5 * unpackedBytes(sizeBytes)) / 2 ** 30;
  const silent = createLogger("test", "silent");

  /** An engine whose pulls end when the test lets them, and a prefetcher on it. */
  async function open(folder: string, { limitGib = 1, deadline = 60_000 } = {}) {
    const images = new Set<string>();
    const pulls = new Map<string, ServerResponse>();
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(request.url ?? "/", "http://engine");
      const json = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body));
      if (url.pathname.endsWith("/images/create")) {
        const of = `${url.searchParams.get("fromImage")}@${url.searchParams.get("tag")}`;
        pulls.set(of, response);
        return response.on("close", () => pulls.delete(of)).flushHeaders();
      }
      const reference = decodeURIComponent(url.pathname.replace(/^.*\/images\//, "").replace(/\/json$/, ""));
      if (!images.has(reference)) return json(404, { message: "No such image" });
      if (request.method === "DELETE") images.delete(reference);
      json(200, { Id: "id", RepoDigests: [reference], Size: 1, Config: {} });
    };
    const server = createServer((request, response) => void answer(request, response));
    const socket = join(folder, "engine.sock");
    await once(server.listen(socket), "listening");
    const journal = openJournal(join(folder, "journal.db"));
    const stopping = new AbortController();
    const outcomes: string[] = [];
    const prefetcher = createPrefetcher({
      journal,
      engine: openEngine({ socket, market: "00000000", node: "0x01" }),
      dataDir: folder,
      logger: silent,
      signal: stopping.signal,
      inUse: () => new Set(),
      limitGib,
      deadline,
      downloadPriority: createDownloadPriority(),
      send: (message) => {
        if (message.type !== "prefetched") return true;
        const name = ["slow", "fast", "other"].find((one) => `0x${digestOf(one)}` === message.image);
        return outcomes.push(`${name} ${message.outcome}${message.reason ? `: ${message.reason}` : ""}`) > 0;
      },
    });
    return {
      outcomes,
      pulled: (name: string) => pulls.get(referenceOf(name)),
      enqueue: (name: string) =>
        prefetcher.enqueue({ image: `0x${digestOf(name)}`, reference: referenceOf(name), sizeBytes }),
      serve: (name: string) => {
        images.add(referenceOf(name));
        pulls.get(referenceOf(name))?.end('{"id":"layer","status":"Pull complete"}\n');
      },
      stop: async () => {
        stopping.abort();
        server.closeAllConnections();
        await prefetcher.idle();
        server.close();
        journal.close();
      },
    };
  }

  it("so that a registry that does not end delays no other's image", async () => {
    using dir = temporaryDir();
    const node = await open(dir.path);
    node.enqueue("slow");
    await eventually("the slow pull", () => node.pulled("slow") !== undefined);
    node.enqueue("fast");
    await eventually("the fast pull", () => node.pulled("fast") !== undefined);
    node.serve("fast");
    await eventually("its outcome", () => node.outcomes.length > 0);
    expect(node.outcomes).to.deep.equal(["fast present"]);
    expect(node.pulled("slow")).to.not.equal(undefined);
    await node.stop();
  });

  it("and counts what it downloads: an image that does not fit beside it waits, one that never fits fails", async () => {
    using dir = temporaryDir();
    const node = await open(dir.path, { limitGib: quotaOfOne });
    for (const name of ["slow", "fast"]) node.enqueue(name);
    await eventually("the slow pull", () => node.pulled("slow") !== undefined);
    expect(node.pulled("fast")).to.equal(undefined);
    node.serve("slow");
    await eventually("the fast pull", () => node.pulled("fast") !== undefined);
    node.serve("fast");
    await eventually("the outcomes", () => node.outcomes.length === 3);
    expect(node.outcomes).to.deep.equal(["slow present", "slow evicted", "fast present"]);
    await node.stop();
    using other = temporaryDir();
    const small = await open(other.path, { limitGib: quotaOfOne / 3 });
    small.enqueue("other");
    await eventually("the outcome", () => small.outcomes.length === 1);
    expect(small.outcomes).to.deep.equal(["other failed: quota_exceeded"]);
    await small.stop();
  });

  it("and gives up a pull that does not end by its deadline", async () => {
    using dir = temporaryDir();
    const node = await open(dir.path, { deadline: 100 });
    node.enqueue("slow");
    await eventually("the outcome", () => node.outcomes.length === 1);
    expect(node.outcomes).to.deep.equal(["slow failed: deadline_exceeded"]);
    await eventually("the end of the pull", () => node.pulled("slow") === undefined);
    node.enqueue("slow");
    await eventually("another pull", () => node.pulled("slow") !== undefined);
    node.serve("slow");
    await eventually("the outcome", () => node.outcomes.length === 2);
    expect(node.outcomes[1]).to.equal("slow present");
    await node.stop();
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
