import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import Docker from "dockerode";
import getPort from "get-port";
import { type Engine, openEngine } from "../../node-client/docker/engine.ts";
import { createDownloadPriority } from "../../node-client/downloadPriority.ts";
import { type Journal, openJournal } from "../../node-client/journal/open.ts";
import { putProbe, readProbes } from "../../node-client/journal/probes.ts";
import { measureProbe } from "../../node-client/measure/measure.ts";
import { createRounds } from "../../node-client/measurementRounds.ts";
import { prefetchProbeImage } from "../../node-client/probeImage.ts";
import { engineSocket } from "../../scripts/embedded/dockerEngine.ts";
import { eventually } from "../services/support/context.ts";
import { openRegistry, removeMarket } from "./node/market.ts";

const docker = new Docker();
const token = "a-token-that-match-gave";

describe("measurement rounds on a real engine", function () {
  this.timeout(120_000);
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let image: string;
  let dir: string;
  let engine: Engine;
  let journal: Journal;
  let sent: ClientMessage[];

  before(async () => {
    registry = await openRegistry();
    image = registry.referenceOf("probe");
  });
  after(() => registry.stop());
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-rounds-"));
    const market = randomBytes(4).toString("hex");
    engine = openEngine({ socket: engineSocket(process.env.DOCKER_HOST), market, node: "0xabcdef0123" });
    journal = openJournal(join(dir, "journal.sqlite"));
    sent = [];
  });
  afterEach(async () => {
    journal.close();
    await removeMarket(engine.market);
    rmSync(dir, { recursive: true });
  });

  const begin = (rounds = new Map([[1n, 0]])) =>
    createRounds({
      engine,
      journal,
      logger: createLogger("test", "silent"),
      signal: new AbortController().signal,
      send: (message) => sent.push(message) > 0,
      probeImage: () => image,
      rounds: () => rounds,
    });
  const order = async (closesIn: number, change: object = {}) => {
    const closesAt = Math.floor(Date.now() / 1000) + closesIn;
    const port = await getPort({ port: [24_800, 24_801, 24_802] });
    const other = await getPort({ port: [24_810, 24_811, 24_812] });
    putProbe(journal, { roundId: 1n, port, ports: [port, other], token, image, closesAt, ...change });
    return { port, other };
  };
  const containers = () =>
    docker.listContainers({ all: true, filters: { label: [`ngpu.market=${engine.market}`] } });

  it("run a measurable probe at the ports that match chose, and remove it at the end", async () => {
    const { port, other } = await order(60);
    const round = begin();
    await eventually(
      "the probe",
      async () => {
        await round();
        return sent.length > 0;
      },
      30_000,
    );
    expect(sent[0]).to.deep.equal({ type: "probeReady", roundId: 1n, port });
    const limits = { milliseconds: 200, bytes: 8 << 20, diskMib: 4 };
    for (const each of [port, other]) {
      const result = await measureProbe({
        privateAddresses: true,
        url: `http://127.0.0.1:${each}`,
        token,
        limits,
        signal: AbortSignal.timeout(20_000),
      });
      expect(result.portsReachable).to.equal(1);
      expect(result.diskWriteMibps).to.be.greaterThan(0);
    }
    journal.prepare("update probe set closes_at = 1").run();
    await round();
    expect(await containers()).to.deep.equal([]);
    expect(readProbes(journal)).to.deep.equal([]);
  });

  it("leave no container when the client was killed before the end", async () => {
    await order(2);
    await begin()();
    expect(await containers()).to.have.length(1);
    // A restarted client, which has only the journal and the engine.
    const later = begin();
    await eventually(
      "the end of the round",
      async () => {
        await later();
        return (await containers()).length === 0;
      },
      20_000,
    );
  });

  it("run no image other than the market's probe", async () => {
    await order(60, { image: "127.0.0.1:1/miner@sha256:00" });
    await begin()();
    expect(sent[0]).to.include({ type: "probeFailed", reason: "the image is not the market's probe image" });
    expect(await containers()).to.deep.equal([]);
  });

  it("use the probe image that was pulled at the start", async () => {
    await docker
      .getImage(image)
      .remove({ force: true })
      .catch(() => undefined);
    await prefetchProbeImage({
      engine,
      reference: image,
      downloadPriority: createDownloadPriority(),
      logger: createLogger("test", "silent"),
      signal: new AbortController().signal,
    });
    const served = registry.served();
    await order(60);
    await begin()();
    expect(await containers()).to.have.length(1);
    expect(registry.served()).to.equal(served);
  });

  it("wait for the chain to show the round", async () => {
    await order(60);
    const rounds = new Map<bigint, number>();
    const round = begin(rounds);
    await round();
    expect(await containers()).to.deep.equal([]);
    rounds.set(1n, 0);
    await round();
    expect(await containers()).to.have.length(1);
  });
});
