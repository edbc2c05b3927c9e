import { randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { watchGpus } from "../../../node-client/gpuWatch.ts";
import { sendHeartbeats } from "../../../node-client/heartbeat.ts";
import { openJournal } from "../../../node-client/journal/open.ts";
import { gpuModelOf, offerOf } from "../../../node-client/offer.ts";
import { createOutbox } from "../../../node-client/outbox.ts";
import { type Hardware, probeHardware, readGpusAgain } from "../../../node-client/probe/hardware.ts";
import { ensureRegistered } from "../../../node-client/registration.ts";
import { startSession } from "../../../node-client/session.ts";
import { eventually } from "../support/context.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

const model = "NVIDIA A100-SXM4-80GB";
const first = "GPU-5a6f2c1e-0c1f-4a7e-9d55-000000000001";
const second = "GPU-5a6f2c1e-0c1f-4a7e-9d55-000000000002";
const lineOf = (uuid: string, memory = "81920", capability = "8.0") =>
  `${model}, ${uuid}, ${memory}, ${capability}`;
const limits = {
  NODE_LIMIT_GPUS: undefined,
  NODE_LIMIT_CPU_MILLI: 8_000,
  NODE_LIMIT_MEMORY_MIB: 4_096,
  NODE_LIMIT_DISK_GIB: 20,
  NODE_LIMIT_PORTS: 8,
};

/** What `nvidia-smi` prints for its queries; the forms are those of test/node-client/fixtures/gpuOutputs.ts. */
type Tool = { cards: string[]; code?: number; recovery?: string[]; ecc?: string[]; rows?: string[] };

const healthy: Tool = {
  cards: [lineOf(first), lineOf(second)],
  recovery: [`${first}, None`, `${second}, None`],
  ecc: [`${first}, 0`, `${second}, 0`],
  rows: [`${first}, No`, `${second}, No`],
};

/** The second card is sick, while the node runs. */
const sicknesses: Record<string, { tool: Tool; code: string }> = {
  "[N/A] in place of its memory": {
    tool: { cards: [lineOf(first), lineOf(second, "[N/A]")] },
    code: "gpu_memory_unknown",
  },
  "an error in place of a value": {
    tool: { cards: [lineOf(first), lineOf(second, "[Unknown Error]", "[Unknown Error]")] },
    code: "gpu_unreadable",
  },
  "a lost card, as after Xid 79": {
    tool: {
      cards: [
        lineOf(first),
        `Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover this GPU`,
      ],
      code: 15,
    },
    code: "gpu_lost",
  },
  "a recovery action, as after Xid 48 or 119": {
    tool: { ...healthy, recovery: [`${first}, None`, `${second}, Reset`] },
    code: "gpu_reset_required",
  },
  "errors that ECC cannot correct, of a driver without recovery actions": {
    tool: {
      ...healthy,
      recovery: ['Field "gpu_recovery_action" is not a valid field to query.'],
      ecc: [`${first}, 0`, `${second}, 2`],
    },
    code: "gpu_memory_errors",
  },
  "a failed remapping of its memory's rows": {
    tool: { ...healthy, rows: [`${first}, No`, `${second}, Yes`] },
    code: "gpu_memory_errors",
  },
};

describe("match: a node with a sick card", function () {
  this.timeout(240_000);
  const dir = mkdtempSync(join(tmpdir(), "ngpu-sick-"));
  const path = process.env.PATH;
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended: Promise<unknown>[] = [];
  let test: TestMatch;
  let match: Match;
  let hardware: Hardware;
  let gpus: Loop;
  let nodeId: number;

  const print = ({ cards, code = 0, recovery = [], ecc = [], rows = [] }: Tool) => {
    for (const [name, lines] of Object.entries({ cards, recovery, ecc, rows }))
      writeFileSync(join(dir, name), lines.map((line) => `${line}\n`).join(""));
    const script = `#!/bin/sh
case "$1" in
*gpu_recovery_action*) /bin/cat ${dir}/recovery ;;
*uncorrected.volatile*) /bin/cat ${dir}/ecc ;;
*remapped_rows.failure*) /bin/cat ${dir}/rows ;;
*memory.total*) /bin/cat ${dir}/cards; exit ${code} ;;
esac
`;
    writeFileSync(join(dir, "new"), script);
    chmodSync(join(dir, "new"), 0o755);
    renameSync(join(dir, "new"), join(dir, "nvidia-smi"));
  };

  before(async () => {
    test = await setupMatch();
    match = await test.startMatch("match-a");
    process.env.PATH = `${dir}:${path}`;
    // It joins with a sick card.
    print(sicknesses["[N/A] in place of its memory"]?.tool ?? healthy);
    await startNode();
  });
  after(async () => {
    stopping.abort();
    await Promise.all(ended);
    process.env.PATH = path;
    await test.stop();
    rmSync(dir, { recursive: true });
  });

  /** The node client without an engine: its probe, session, registration, heartbeats and watch of cards. */
  async function startNode(): Promise<void> {
    const { deployment, client } = test.market;
    const account = privateKeyToAccount(generatePrivateKey());
    const logger = createLogger("node", process.env.TEST_LOG_LEVEL ?? "silent");
    const journal = openJournal(join(dir, "journal.sqlite"));
    hardware = await probeHardware(dir, limits);
    const session = startSession({
      role: "node",
      account,
      deployment,
      version: "1",
      host: undefined,
      logger,
      signal,
      urls: () => [match.url],
      onMessage: (message) => {
        if (message.type === "relayed") outbox.recordResult(message);
        if (message.type === "welcome") outbox.resend();
        registration.wake();
      },
    });
    const outbox = createOutbox({ journal, account, deployment, send: session.send, logger });
    const registration = startLoop({ name: "registration", logger, signal, interval: 1_000 }, async () => {
      outbox.resend();
      const id = await ensureRegistered({
        client,
        deployment,
        account,
        wallet: undefined,
        walletConsent: undefined,
        logger,
        journal,
        outbox,
        offer: offerOf(hardware, { region: undefined, price: 10n }),
        status: "online",
        gpus: hardware.gpus,
        sickGpus: hardware.sickGpus,
        recordAbsence: async () => undefined,
      });
      if (id !== undefined) nodeId = id;
    });
    gpus = watchGpus({
      hardware,
      logger,
      signal,
      read: () => readGpusAgain(limits),
      onChange: registration.wake,
    });
    const heartbeats = sendHeartbeats({
      session,
      logger,
      signal,
      slotSeconds: deployment.parameters.slotSeconds,
      dataDir: dir,
      everySeconds: () => 0.5,
      running: () => [],
      sickGpus: () => hardware.sickGpus,
    });
    ended.push(session.done, registration.done, gpus.done, heartbeats);
  }

  const offered = (count: number) =>
    eventually(`${count} cards on the chain`, async () => {
      gpus.wake();
      const { rows } = await test.db.query(
        "select gpu_count::int as count from chain.node where node_id = $1 and cpu_milli > 0",
        [nodeId ?? 0],
      );
      return rows[0]?.count === count;
    });
  const shown = (codes: string[]) =>
    eventually(`the sick cards ${codes.join()} in the session`, async () => {
      const { rows } = await test.db.query("select sick_gpus from app.session where subject_id = $1", [
        nodeId,
      ]);
      const found = (rows[0]?.sick_gpus ?? []).map((one: { code: string }) => one.code) as string[];
      return codes.every((code) => found.includes(code)) && (codes.length > 0 || found.length === 0);
    });
  const published = async () => {
    const resources = { gpus: 1, cpuMilli: 500, memoryMib: 256, diskGib: 1, ports: 1 };
    const workspace = await test.chain.publish({
      gpuModel: gpuModelOf(model),
      minVramMib: 80_000,
      resources,
    });
    await eventually("the workspace is exported", async () => {
      const { rowCount } = await test.db.query("select from chain.workspace where workspace_id = $1", [
        workspace.id,
      ]);
      return rowCount === 1;
    });
    return workspace;
  };
  /** The node that match chooses for a replica; undefined: none fits. */
  const placed = async (workspaceId: bigint, replica: number): Promise<number | undefined> => {
    const requestId = randomUUID();
    await test.db.query(
      "insert into app.placement (request_id, workspace_id, replica, excluded) values ($1, $2, $3, '{}')",
      [requestId, workspaceId, replica],
    );
    const row = await eventually("the request is answered", async () => {
      const { rows } = await test.db.query("select * from app.placement where request_id = $1", [requestId]);
      return rows[0]?.status === "requested" ? undefined : rows[0];
    });
    await test.db.query("delete from app.placement where request_id = $1", [requestId]);
    return row.node_id ?? undefined;
  };

  it("offers the healthy one alone, and both once the sick one is read again", async () => {
    await offered(1);
    await shown(["gpu_memory_unknown"]);
    expect(hardware.gpus.map(({ uuid }) => uuid)).to.deep.equal([first]);
    const workspace = await published();
    expect(await placed(workspace.id, 0)).to.equal(nodeId);
    await test.chain.assign(workspace, 0, nodeId);
    await eventually("the lease is exported", async () => {
      const { rowCount } = await test.db.query("select from chain.assignment where workspace_id = $1", [
        workspace.id,
      ]);
      return rowCount === 1;
    });
    expect(await placed(workspace.id, 1)).to.equal(undefined);
    print(healthy);
    await offered(2);
    await shown([]);
    expect(await placed(workspace.id, 1)).to.equal(nodeId);
  });

  for (const [what, { tool, code }] of Object.entries(sicknesses)) {
    it(`withdraws a card while it runs that shows ${what}, and offers it again once it is healthy`, async () => {
      const workspace = await published();
      print(tool);
      await offered(1);
      await shown([code]);
      expect(hardware.gpus.map(({ uuid }) => uuid)).to.deep.equal([first]);
      // The other card has the lease of the first test.
      expect(await placed(workspace.id, 0)).to.equal(undefined);
      print(healthy);
      await offered(2);
      await shown([]);
      expect(await placed(workspace.id, 0)).to.equal(nodeId);
    });
  }
});
