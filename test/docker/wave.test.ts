import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import type { RelayMessage } from "@ngpu/protocol/relayKinds";
import type { WaveOrder } from "@ngpu/protocol/waves";
import { toJson } from "@ngpu/runtime/json";
import { createLogger } from "@ngpu/runtime/logger";
import { decodeDevice } from "@ngpu/waves/claims";
import { defaultRules } from "@ngpu/waves/rules";
import { isAtLeast, noShares } from "@ngpu/waves/shares";
import { expect } from "chai";
import Docker from "dockerode";
import getPort from "get-port";
import type { Hex } from "viem";
import { type Engine, openEngine } from "../../node-client/docker/engine.ts";
import { containerName } from "../../node-client/docker/sandbox.ts";
import { openJournal } from "../../node-client/journal/open.ts";
import { measureWave, type WaveSubject } from "../../node-client/measure/waves/measureWave.ts";
import { openTranscripts } from "../../node-client/measure/waves/transcripts.ts";
import {
  createHardwareClaim,
  type HardwareClaimDependencies,
} from "../../node-client/waves/hardwareClaim.ts";
import { createWaves, type WaveDependencies } from "../../node-client/waves/waves.ts";
import { engineSocket } from "../../scripts/embedded/dockerEngine.ts";
import { blockHash } from "../packages/proof/claims.ts";
import { cpuDevice } from "../packages/proof/device.ts";
import { eventually } from "../services/support/context.ts";
import { deploymentDocument } from "../services/support/deployment.ts";
import { openRegistry, removeMarket } from "./node/market.ts";

const docker = new Docker();
const token = "what-measurers-show";
const blocks = { fill: 100, chase: 115, work: 145, answered: 151, audit: 152 };
const hashes = {
  fill: blockHash("100"),
  chase: blockHash("115"),
  work: blockHash("145"),
  audit: blockHash("152"),
};
const bytes = 2n ** 26n;
const claimed = {
  figures: { bytes, bytesPerSecond: 1_000n, operationsPerSecond: 1_000n },
  hardware: { kind: "cpu" as const, cores: 1 },
};
/** The chain's clock is far slower than this machine's, so that a busy machine makes up few of the reads in its time. */
const milliseconds = { chase: 1, work: 1 };

describe("a wave on a real engine", function () {
  this.timeout(600_000);
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let image: string;
  let engine: Engine;
  let dir: string;
  let events: Record<string, unknown>[];

  before(async () => {
    await cpuDevice();
    registry = await openRegistry({ cpuProver: true });
    image = registry.referenceOf("probe");
  });
  after(() => registry.stop());
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-wave-"));
    engine = openEngine({
      socket: engineSocket(process.env.DOCKER_HOST),
      market: randomBytes(4).toString("hex"),
      node: "0xabcdef0123",
    });
    events = [];
  });
  afterEach(async () => {
    await removeMarket(engine.market);
    rmSync(dir, { recursive: true });
  });

  /** A chain whose blocks come when they are asked for: no machine is too slow for it. */
  function chain() {
    const seen = new Map<number, number>();
    const getBlock = async ({ blockNumber }: { blockNumber: bigint }) => {
      const number = Number(blockNumber);
      const at = seen.get(number) ?? Math.floor(Date.now() / 1_000);
      seen.set(number, at);
      return { hash: blockHash(`${number}`), timestamp: BigInt(at) };
    };
    return {
      getBlock: getBlock as unknown as WaveDependencies["client"]["getBlock"],
      has: (n: number) => seen.has(n),
    };
  }

  function begin(client: ReturnType<typeof chain>) {
    const note = (fields: Record<string, unknown>) => void events.push(fields);
    return createWaves({
      engine,
      client,
      logger: Object.assign(createLogger("test", "silent"), { info: note, warn: note }),
      signal: new AbortController().signal,
      probeImage: () => image,
      hardware: () => ({ gpus: [], cpuMilli: 2_000 }),
    });
  }

  const orderOf = async (change: Partial<WaveOrder> = {}): Promise<WaveOrder> => ({
    type: "wave",
    nodeId: 7,
    image,
    port: await getPort({ port: [24_810, 24_811, 24_812] }),
    token,
    blocks,
    milliseconds: { chase: 8_000, work: 6_000 },
    claims: [{ device: 0, bytes }],
    closesAt: Math.floor(Date.now() / 1_000) + 500,
    ...change,
  });

  const containers = () =>
    docker.listContainers({ all: true, filters: { label: [`ngpu.market=${engine.market}`, "ngpu.wave"] } });

  it("is answered by this machine's CPU in the probe's container, and a measurer verifies the proof", async () => {
    const client = chain();
    const waves = begin(client);
    const order = await orderOf();
    waves.take(order);
    const subject: WaveSubject = {
      nodeId: 7,
      device: 0,
      claimed,
      at: { url: `http://127.0.0.1:${order.port}`, token },
    };
    const posted: [string, Hex][] = [];
    const transcripts = openTranscripts(dir);
    const results = await measureWave({
      measurerId: 3,
      subjects: [subject],
      opening: async () => undefined,
      closing: () => new Promise(() => undefined),
      save: () => undefined,
      post: async (batch, root) => void posted.push([batch, root]),
      chain: async () => {
        await eventually("the audit's block", () => client.has(blocks.audit), 60_000);
        return { hashes, milliseconds };
      },
      transcripts,
      privateAddresses: true,
      signal: AbortSignal.timeout(400_000),
    });
    const shares = results[0]?.shares ?? noShares;
    expect(isAtLeast(shares, defaultRules.least), JSON.stringify({ results, events })).to.equal(true);
    expect(posted.map(([batch]) => batch)).to.deep.equal(["chase", "answers"]);
    expect(transcripts.get(results[0]?.transcriptHash ?? "")).to.have.length.greaterThan(100_000);
    const [container] = await containers();
    const { HostConfig, Config } = await docker.getContainer(container?.Id ?? "").inspect();
    expect(HostConfig).to.include({ ReadonlyRootfs: true, Privileged: false });
    expect(Config.User).to.equal("65534:65534");
    // A tenant comes: the challenge makes room at once.
    await tenant();
    await eventually("room for the tenant", async () => (await containers()).length === 0, 30_000);
    await waves.idle();
  });

  it("claims what the CPU reaches in the container, once, and not beside a tenant", async () => {
    const signed: RelayMessage<"claimHardware">[] = [];
    const journal = openJournal(join(dir, "journal.sqlite"));
    const claim = createHardwareClaim({
      engine,
      client: {
        readContract: async () => signed.at(-1)?.deadline ?? 0n,
        getBlock: async ({ blockNumber = 1_000n } = {}) => ({
          number: blockNumber,
          timestamp: 2n * blockNumber,
        }),
      } as unknown as HardwareClaimDependencies["client"],
      deployment: parseDeployment(deploymentDocument),
      journal,
      outbox: { submit: async (_kind, message) => String(signed.push(message as (typeof signed)[number])) },
      logger: Object.assign(createLogger("test", "silent"), {
        info: (fields: Record<string, unknown>) => void events.push(fields),
        warn: (fields: Record<string, unknown>) => void events.push(fields),
      }),
      signal: new AbortController().signal,
      probeImage: () => image,
      nodeId: () => 7,
      hardware: () => ({ gpus: [], cpuMilli: 2_000, memoryMib: 4_096 }),
      isProving: () => false,
      memoryMib: 64,
      delaySeconds: 0,
      besideTenants: false,
    });
    await tenant();
    await claim.round();
    expect(signed).to.deep.equal([]);
    await removeMarket(engine.market);
    await claim.round();
    await claim.round();
    expect(signed, toJson(events)).to.have.length(1);
    const [word] = signed[0]?.devices ?? [];
    const { figures, hardware } = decodeDevice(word as Hex);
    expect(hardware).to.deep.equal({ kind: "cpu", cores: 2 });
    expect(Number(figures.bytes)).to.be.within(2 ** 20, 2 ** 26);
    expect(figures.bytesPerSecond > 0n && figures.operationsPerSecond > 0n).to.equal(true);
    expect(claim.claimed()).to.deep.equal(["cpu"]);
    expect(await containers()).to.deep.equal([]);
    journal.close();
  });

  it("leaves a CPU that a tenant has, and keeps its last proof", async () => {
    await tenant();
    const waves = begin(chain());
    waves.take(await orderOf());
    await waves.idle();
    expect(events.map(({ event }) => event)).to.deep.equal(["wave_kept"]);
    expect(await containers()).to.deep.equal([]);
  });

  it("is ended by the arrival of a tenant in the middle of it, and by its own end", async () => {
    const waves = begin(chain());
    waves.take(await orderOf());
    await eventually("the container", async () => (await containers()).length === 1, 120_000);
    await tenant();
    await waves.idle();
    expect(await containers()).to.deep.equal([]);
    await removeMarket(engine.market);
    waves.take(await orderOf({ closesAt: Math.floor(Date.now() / 1_000) + 5 }));
    await waves.idle();
    expect(await containers()).to.deep.equal([]);
  });

  it("runs no other image, none after its end, and goes on after each", async () => {
    const waves = begin(chain());
    for (const change of [{ image: "127.0.0.1:1/miner@sha256:00" }, { closesAt: 1 }, { closesAt: 2 ** 40 }]) {
      waves.take(await orderOf(change));
      await waves.idle();
    }
    expect(events.map(({ event }) => event)).to.deep.equal(["wave_refused", "wave_refused", "wave_refused"]);
    expect(await containers()).to.deep.equal([]);
  });

  /** A container as a lease's, which waits. */
  async function tenant(): Promise<void> {
    const lease = { workspaceId: 1n, replica: 0, lease: 1, fence: "0xaaaaaaaaaaaaaaaa" };
    await docker
      .pull(image)
      .then((stream) => new Promise((resolve) => docker.modem.followProgress(stream, resolve)));
    const container = await docker.createContainer({
      name: containerName(engine, lease as Parameters<typeof containerName>[1]),
      Image: image,
      Cmd: ["/usr/local/bin/node", "-e", "setInterval(() => {}, 1000)"],
      Labels: {
        "ngpu.market": engine.market,
        "ngpu.node": engine.node,
        "ngpu.workspace": "1",
        "ngpu.replica": "0",
        "ngpu.lease": "1",
        "ngpu.fence": lease.fence,
      },
    });
    await container.start();
  }
});
