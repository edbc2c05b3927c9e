import { join } from "node:path";
import { createChainClient } from "@ngpu/chain-reader/client";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { keccak256, toBytes } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { openEngine } from "../../node-client/docker/engine.ts";
import { maxVolumes } from "../../node-client/docker/volumes.ts";
import { createDownloadPriority } from "../../node-client/downloadPriority.ts";
import { openJournal } from "../../node-client/journal/open.ts";
import { readRuns } from "../../node-client/journal/runs.ts";
import { putPublication } from "../../node-client/journal/workspaces.ts";
import { type Assignment, publicationKey } from "../../node-client/leases.ts";
import { createObservedState } from "../../node-client/observedState.ts";
import { createOutbox } from "../../node-client/outbox.ts";
import { createReasonReporter } from "../../node-client/reasons/reasonReporter.ts";
import { createReconciler } from "../../node-client/reconcile.ts";
import { createWalls } from "../../node-client/walls/walls.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { deploymentDocument } from "../services/support/deployment.ts";
import { type Created, type Said, startFakeEngine } from "../support/fakeEngine.ts";

const lease: Assignment = {
  workspaceId: 1n,
  replica: 0,
  lease: 1,
  fence: "0xaaaaaaaaaaaaaaaa",
  assignedBlock: 1n,
  assignedBlockHash: `0x${"11".repeat(32)}`,
  assignedLog: 0,
  desired: "run",
  order: "first",
  state: "assigned",
  detail: `0x${"00".repeat(32)}`,
  sequence: 0,
  milestone: 0,
  lost: false,
  ended: false,
  keptUntil: Number.POSITIVE_INFINITY,
};
const hasSizes = ({ HostConfig }: Created) => HostConfig?.Mounts?.length !== undefined;
/** What Docker 28.2 says of a sized volume, recorded with its data on XFS mounted without pquota. */
const noQuotas = (body: Created) =>
  hasSizes(body) ? "quota size requested but no quota support" : undefined;

describe("the volumes of an image on an engine", () => {
  /** Runs the lease until its container is created, or a reason is reported. */
  async function run(said: Said, diskGib = 2, memoryMib = 4_096) {
    using dir = temporaryDir();
    const socket = join(dir.path, "engine.sock");
    const engine = await startFakeEngine(socket, dir.path, () => said);
    const deployment = parseDeployment(deploymentDocument);
    const account = privateKeyToAccount(generatePrivateKey());
    const journal = openJournal(join(dir.path, "journal.sqlite"));
    const config = JSON.stringify({ image: "127.0.0.1:9/data", ports: [8080] });
    const resources = { gpus: 0, cpuMilli: 1_000, memoryMib, diskGib };
    putPublication(journal, publicationKey(lease), {
      workspaceId: 1n,
      blockNumber: 1n,
      sizeBytes: 1n,
      config,
      spec: {
        image: `0x${"ab".repeat(32)}`,
        policy: 0,
        graceSeconds: 60,
        resources,
        configHash: keccak256(toBytes(config)),
      },
    });
    const logger = createLogger("test", "silent");
    const client = openEngine({ socket, market: "00000000", node: "0x01" });
    const reasons: Extract<ClientMessage, { type: "reason" }>[] = [];
    const reconciler = createReconciler({
      engine: client,
      dataDir: dir.path,
      deployment,
      journal,
      logger,
      observed: createObservedState(),
      client: createChainClient({ rpcUrls: ["http://127.0.0.1:9"], chainId: deployment.chainId }),
      outbox: createOutbox({ journal, account, deployment, send: () => false, logger }),
      downloadPriority: createDownloadPriority(),
      signal: new AbortController().signal,
      gpus: () => [],
      sickGpus: () => [],
      secrets: {
        ofNew: async () => ({ env: {}, folder: undefined }),
        restore: async () => undefined,
        keepOnly: () => undefined,
      },
      walls: createWalls({
        engine: client,
        shell: async () => {
          throw new Error("Nothing starts here.");
        },
        logger,
      }),
      reasons: createReasonReporter({
        engine: client,
        logger,
        send: (message) => message.type === "reason" && reasons.push(message) > 0,
      }),
      view: () => ({ assignments: [lease], rounds: new Map() }),
      lastContactAt: () => Date.now(),
      onDone: () => undefined,
      onProgress: () => undefined,
    });
    while (engine.created.length === 0 && reasons.length === 0) {
      await reconciler.round();
      await reconciler.idle();
    }
    const starts = [...readRuns(journal).values()].map((one) => one.starts);
    journal.close();
    engine.stop();
    return { starts, host: engine.created[0]?.HostConfig, reason: reasons[0] };
  }

  it("have sizes that share the disk of the lease where its storage has quotas", async () => {
    const { host } = await run({ volumes: 2 });
    expect(
      host?.Mounts?.map(({ Target, VolumeOptions }) => [Target, VolumeOptions?.DriverConfig?.Options]),
    ).to.deep.equal([
      ["/data/0", { size: "1024m" }],
      ["/data/1", { size: "1024m" }],
    ]);
    expect(Object.keys(host?.Tmpfs ?? {})).to.deep.equal(["/tmp"]);
  });

  it("are memory of the lease where its storage has none, within its disk and a quarter of its memory", async () => {
    const { host } = await run({ volumes: 2, create: noQuotas });
    expect(host?.Mounts ?? []).to.deep.equal([]);
    expect(host?.Tmpfs?.["/data/0"]).to.match(/\bsize=512m\b/);
    expect(host?.Tmpfs?.["/data/1"]).to.match(/\bsize=512m\b/);
  });

  it("that the engine does not create count as a failed start", async () => {
    const { starts, reason } = await run({ volumes: 1, create: () => "invalid mount config" });
    expect(reason?.code).to.equal("container_start_failed");
    expect(starts[0]).to.be.greaterThan(0);
    expect((await run({ volumes: 1 })).starts).to.deep.equal([]);
  });

  it("are at most 32: an image with more is named before a container is created", async () => {
    expect((await run({ volumes: maxVolumes, create: noQuotas })).host?.Tmpfs).to.include.keys("/data/31");
    const { host, reason } = await run({ volumes: maxVolumes + 1 });
    expect(host).to.equal(undefined);
    expect(reason).to.deep.include({ code: "image_volumes_exceeded", details: { volumes: 33, most: 32 } });
  });

  it("have absolute paths: an image with another one is named before a container is created", async () => {
    for (const path of ["data", "", ".", "../data"]) {
      const { host, reason } = await run({ volumes: 1, volumesAt: [path] });
      expect(host).to.equal(undefined);
      expect(reason?.code).to.equal("container_start_failed");
      expect(reason?.details).to.have.property("message").that.includes(`"${path}"`);
    }
  });
});
