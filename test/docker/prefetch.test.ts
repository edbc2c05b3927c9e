import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import Docker from "dockerode";
import { generatePrivateKey } from "viem/accounts";
import { type Engine, openEngine } from "../../node-client/docker/engine.ts";
import { findImage } from "../../node-client/docker/images.ts";
import { createDownloadPriority, type DownloadPriority } from "../../node-client/downloadPriority.ts";
import { openJournal } from "../../node-client/journal/open.ts";
import { createPrefetcher } from "../../node-client/prefetch.ts";
import { engineSocket } from "../../scripts/embedded/dockerEngine.ts";
import { encode } from "./node/agent.ts";
import { assignment, openRegistry, removeMarket } from "./node/market.ts";

const docker = new Docker();

describe("prefetched images on a real engine", function () {
  this.timeout(120_000);
  const market = randomBytes(4).toString("hex");
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let engine: Engine;
  let dir: string;
  let sent: ClientMessage[];
  let inUse: Set<string>;
  let downloadPriority: DownloadPriority;

  before(async () => {
    registry = await openRegistry();
    engine = openEngine({ socket: engineSocket(process.env.DOCKER_HOST), market, node: "0x01" });
  });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-prefetch-"));
    sent = [];
    inUse = new Set();
    downloadPriority = createDownloadPriority();
  });
  afterEach(async () => {
    await removeMarket(market);
    for (const name of ["chat", "probe"]) {
      await docker
        .getImage(registry.referenceOf(name))
        .remove({ force: true })
        .catch(() => undefined);
    }
    rmSync(dir, { recursive: true });
  });
  after(() => registry.stop());

  /** Prefetches images. @returns The outcomes that are reported to match. */
  const prefetch = async (names: string[], limitGib = 10) => {
    const journal = openJournal(join(dir, "prefetch.sqlite"));
    const prefetcher = createPrefetcher({
      engine,
      journal,
      dataDir: "/",
      limitGib,
      logger: createLogger("test", "silent"),
      signal: new AbortController().signal,
      inUse: () => inUse,
      downloadPriority,
      send: (message) => sent.push(message) > 0,
    });
    for (const name of names) {
      const reference = registry.referenceOf(name);
      const image = `0x${reference.split("@sha256:")[1]}` as const;
      prefetcher.enqueue({ image, reference, sizeBytes: registry.publicationOf(name).sizeBytes });
    }
    await prefetcher.idle();
    journal.close();
    return sent.map((message) => (message.type === "prefetched" ? message.outcome : message.type));
  };
  const present = async (name: string) => (await findImage(engine, registry.referenceOf(name))) !== undefined;

  it("starts a later lease without a request to the registry", async () => {
    expect(await prefetch(["chat"])).to.deep.equal(["present"]);
    expect(await present("chat")).to.equal(true);
    const publication = registry.publicationOf("chat");
    const served = registry.served();
    const order = { dir, market, publication, key: generatePrivateKey(), killAt: 0, secondsSinceContact: 0 };
    const agent = spawn(
      process.execPath,
      [join(import.meta.dirname, "node/agent.ts"), encode({ ...order, assignments: [assignment({})] })],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const output = text(agent.stdout);
    await once(agent, "exit");
    expect(JSON.parse(await output).running.map(([lease]: [string]) => lease)).to.deep.equal(["1/0/1"]);
    expect(registry.served()).to.equal(served);
  });

  it("evicts an image for another one, but none that a lease uses", async () => {
    const gib = 2 ** 30;
    const size = (name: string) => (Number(registry.publicationOf(name).sizeBytes) * 3) / gib;
    const quotaForOne = Math.max(size("chat"), size("probe")) * 1.5;
    expect(await prefetch(["chat", "probe"], quotaForOne)).to.deep.equal(["present", "evicted", "present"]);
    expect(await Promise.all(["chat", "probe"].map(present))).to.deep.equal([false, true]);
    sent = [];
    inUse.add(registry.referenceOf("probe"));
    expect(await prefetch(["chat"], quotaForOne)).to.deep.equal(["failed"]);
    expect(sent[0]).to.include({ reason: "quota_exceeded" });
    expect(await Promise.all(["chat", "probe"].map(present))).to.deep.equal([false, true]);
  });

  it("reports an image that was already present as held", async () => {
    await docker.pull(registry.referenceOf("chat")).then(text);
    expect(await prefetch(["chat"])).to.deep.equal(["held"]);
    expect(await prefetch(["probe"])).to.deep.equal(["held", "present"]);
    expect(await prefetch(["probe"])).to.deep.equal(["held", "present", "present"]);
  });

  it("waits for the download of a lease", async () => {
    const lease = Promise.withResolvers<void>();
    const leased = downloadPriority.forLease("registry.test/other", () => lease.promise);
    const served = registry.served();
    const prefetched = prefetch(["chat"]);
    // After several responses of the engine, a prefetch that did not wait would have sent requests.
    for (let request = 0; request < 5; request += 1) expect(await present("chat")).to.equal(false);
    expect(registry.served()).to.equal(served);
    lease.resolve();
    await leased;
    expect(await prefetched).to.deep.equal(["present"]);
  });

  it("prefetches nothing when the quota is 0", async () => {
    expect(await prefetch(["chat"], 0)).to.deep.equal(["failed"]);
    expect(await present("chat")).to.equal(false);
  });
});
