import { Readable } from "node:stream";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import type { Engine } from "../../node-client/docker/engine.ts";
import { createDownloadPriority } from "../../node-client/downloadPriority.ts";
import { prefetchProbeImage } from "../../node-client/probeImage.ts";

const digest = `sha256:${"a".repeat(64)}`;
const reference = `registry.test/probe@${digest}`;

/** An engine whose pulls the test ends. */
function fakeEngine(options: { isPresent?: boolean } = {}) {
  const pulls: Readable[] = [];
  const docker = {
    getImage: () => ({
      inspect: async () => {
        if (!options.isPresent) throw Object.assign(new Error("no such image"), { statusCode: 404 });
        return { Id: "image", RepoDigests: [reference], Config: {}, Size: 1 };
      },
    }),
    pull: async () => {
      const stream = new Readable({ read: () => undefined });
      pulls.push(stream);
      return stream;
    },
  };
  return { engine: { docker, market: "market", node: "node" } as unknown as Engine, pulls };
}

/** Waits for the n-th pull. */
async function pullOf(pulls: Readable[], count: number): Promise<Readable> {
  while (pulls.length < count) await new Promise((resolve) => setImmediate(resolve));
  return pulls[count - 1] as Readable;
}

describe("node: the probe image at the start", () => {
  const start = (engine: Engine, downloadPriority = createDownloadPriority(), signal?: AbortSignal) =>
    prefetchProbeImage({
      engine,
      reference,
      downloadPriority,
      logger: createLogger("test", "silent"),
      signal: signal ?? new AbortController().signal,
    });

  it("is pulled when the engine does not have it", async () => {
    const { engine, pulls } = fakeEngine();
    const done = start(engine);
    (await pullOf(pulls, 1)).push(null);
    await done;
    expect(pulls).to.have.length(1);
  });

  it("is not pulled when the engine has it or the market has none", async () => {
    const { engine, pulls } = fakeEngine({ isPresent: true });
    await start(engine);
    await prefetchProbeImage({
      engine: fakeEngine().engine,
      reference: undefined,
      downloadPriority: createDownloadPriority(),
      logger: createLogger("test", "silent"),
      signal: new AbortController().signal,
    });
    expect(pulls).to.have.length(0);
  });

  it("is pulled again after a lease's download has preempted it", async () => {
    const { engine, pulls } = fakeEngine();
    const downloadPriority = createDownloadPriority();
    const lease = Promise.withResolvers<void>();
    const done = start(engine, downloadPriority);
    const first = await pullOf(pulls, 1);
    const leased = downloadPriority.forLease("registry.test/other", () => lease.promise);
    expect(first.destroyed).to.equal(true);
    lease.resolve();
    await leased;
    (await pullOf(pulls, 2)).push(null);
    await done;
    expect(pulls).to.have.length(2);
  });

  it("does not fail the node when the pull fails", async () => {
    const { engine, pulls } = fakeEngine();
    const done = start(engine);
    (await pullOf(pulls, 1)).push(`${JSON.stringify({ error: "no registry" })}\n`);
    await done;
    expect(pulls).to.have.length(1);
  });

  it("ends when the node stops", async () => {
    const { engine, pulls } = fakeEngine();
    const stop = new AbortController();
    const done = start(engine, createDownloadPriority(), stop.signal);
    const stream = await pullOf(pulls, 1);
    stop.abort();
    await done;
    expect(stream.destroyed).to.equal(true);
  });
});
