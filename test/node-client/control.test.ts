import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { codeOf, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { NgpuError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { zeroAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { describeStatus } from "../../node-client/commands/describeStatus.ts";
import { readableLine } from "../../node-client/commands/logs.ts";
import { type Journal, openJournal } from "../../node-client/journal/open.ts";
import { openOutbox } from "../../node-client/journal/outbox.ts";
import { requestClient, socketPath } from "../../node-client/operator/controlClient.ts";
import { serveControl } from "../../node-client/operator/controlServer.ts";
import { readSettings, walletOf } from "../../node-client/operator/settings.ts";
import { currentOffer, type NodeStatus } from "../../node-client/operator/status.ts";
import { createOutbox } from "../../node-client/outbox.ts";
import type { NodeParts } from "../../node-client/partTypes.ts";
import { ensureRegistered } from "../../node-client/registration.ts";
import type { WallsStatus } from "../../node-client/walls/walls.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

const logger = createLogger("test", "silent");
const account = privateKeyToAccount(generatePrivateKey());
const deployment = parseDeployment(deploymentDocument);
const now = Date.now();
const walls: WallsStatus = {
  state: "up",
  checkedAt: now,
  downSince: null,
  repairs: 0,
  repairedAt: null,
  failure: null,
};
/** What the status says of the walls in each of their states. */
const wallsLines: [Partial<WallsStatus>, RegExp][] = [
  [{}, /^Walls +up$/m],
  [{ state: "unused" }, /^Walls +put up with the first lease$/m],
  [{ state: "down", failure: "No iptables." }, /^Walls +down, no lease starts: No iptables\.$/m],
  [{ repairs: 2, repairedAt: now - 60_000 }, /^Walls +up; put back 2 times after another program/m],
];
const gpu = { name: "NVIDIA A10", uuid: "GPU-1", memoryMib: 23_028, computeCapability: 86 };

describe("the control socket of a running client", () => {
  let dir: string;
  let journal: Journal;
  let node: NodeParts;
  let stops: (() => Promise<void> | void)[];
  let woken: number;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-control-"));
    stops = [];
    await startClient();
  });
  afterEach(async () => {
    await stopClient();
    rmSync(dir, { recursive: true });
  });

  /** A client without the parts that the socket does not use. */
  async function startClient() {
    journal = openJournal(join(dir, "journal.sqlite"));
    woken = 0;
    const events = new EventEmitter();
    events.on("registration", () => {
      woken += 1;
    });
    node = {
      account,
      journal,
      events,
      env: { NODE_DIR: dir, NODE_PRICE: 100n, NGPU_API: "http://market.example", NODE_REGION: "DE" },
      network: { deployment },
      hardware: {
        gpus: [gpu, gpu],
        sickGpus: [],
        cpuMilli: 8_000,
        memoryMib: 64_000,
        diskGib: 500,
        ports: 64,
      },
      membership: {
        nodeId: () => 7,
        isCurrent: () => true,
        view: () => ({
          assignments: [
            { workspaceId: 3n, replica: 0, lease: 2, state: "running", desired: "run", ended: false },
          ],
        }),
      },
      session: { isOpen: () => true },
      tunnels: { open: () => 2 },
      reconciler: { running: () => new Map([["3/0/2", 32_768]]) },
      walls: { status: () => walls },
      updates: { status: () => ({ enabled: false, checkedAt: null, result: null }) },
      lastContact: { last: () => 0 },
      context: { logger, onStop: (_name: string, undo: () => void) => stops.push(undo) },
    } as unknown as NodeParts;
    await serveControl(node);
  }

  async function stopClient() {
    for (const stop of stops.splice(0)) await stop();
    journal.close();
  }

  const refusal = async (...args: Parameters<typeof requestClient>) => {
    const error = await requestClient(...args).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(NgpuError);
    return error as NgpuError;
  };

  /** The messages that the registration sends for a node that the chain lists with this status. */
  const sentFor = async (status: (typeof nodeStatuses)[number]) => {
    const offer = currentOffer(node);
    const answers: Record<string, unknown> = {
      nodeIdOf: 7,
      specOf: [offer.spec, offer.pricePerSecond],
      statusOf: codeOf(nodeStatuses, status),
      freeOf: offer.spec.total,
      walletOf: zeroAddress,
      nominatedWalletOf: zeroAddress,
      sequencesOf: [0, 0],
    };
    await ensureRegistered({
      client: {
        readContract: async ({ functionName }: { functionName: string }) => answers[functionName],
      } as never,
      deployment,
      account,
      ...walletOf(readSettings(journal), node.env),
      logger,
      journal,
      outbox: createOutbox({ journal, account, deployment, send: () => true, logger }),
      offer,
      status: readSettings(journal).drained ? "maintenance" : "online",
      gpus: [],
      sickGpus: [],
      recordAbsence: async () => undefined,
    });
    return openOutbox(journal).map(({ kind, message }) => {
      const { status, wallet } = message as { status?: number; wallet?: string };
      return [kind, status ?? wallet];
    });
  };

  it("is reached by the client's user alone, and shows the node with its leases", async () => {
    expect(statSync(socketPath(dir)).mode & 0o777).to.equal(0o600);
    const status = (await requestClient(dir, "GET", "/status")) as NodeStatus;
    expect(status).to.deep.include({ nodeId: 7, drained: false, tunnels: 2, api: "http://market.example" });
    expect(status.leases).to.deep.equal([
      { lease: "3/0/2", desired: "run", state: "running", hostPort: 32_768 },
    ]);
    expect(status.offer).to.deep.equal({
      pricePerSecond: "100",
      gpuName: "NVIDIA A10",
      gpus: 2,
      cpuMilli: 8_000,
      memoryMib: 64_000,
      diskGib: 500,
      ports: 64,
      region: "DE",
    });
    const market = { node: null, reward: null, failure: null };
    const text = describeStatus(status, market, now);
    for (const [changed, line] of wallsLines)
      expect(describeStatus({ ...status, walls: { ...walls, ...changed } }, market, now)).to.match(line);
    expect(text)
      .to.match(/^Node +7 \(0x/)
      .and.to.match(/^Leases +3\/0\/2 {2}running on port 32768$/m);
  });

  it("drains and resumes: the node declares its status to the chain, also after a restart", async () => {
    expect(await sentFor("online")).to.deep.equal([]);
    await requestClient(dir, "POST", "/drain");
    expect(woken).to.equal(1);
    await stopClient();
    await startClient();
    expect(await requestClient(dir, "GET", "/status")).to.deep.include({ drained: true });
    expect(await sentFor("maintenance")).to.deep.equal([]);
    expect(await sentFor("offline")).to.deep.equal([["setStatus", codeOf(nodeStatuses, "maintenance")]]);
    await requestClient(dir, "POST", "/resume");
    expect(await requestClient(dir, "GET", "/status")).to.deep.include({ drained: false });
  });

  it("declares a node online again that is in maintenance and not drained", async () => {
    expect(await sentFor("maintenance")).to.deep.equal([["setStatus", codeOf(nodeStatuses, "online")]]);
  });

  it("asks for another wallet, also after a restart, and for none that is no address", async () => {
    const wallet = privateKeyToAccount(generatePrivateKey()).address;
    for (const wrong of [
      undefined,
      7,
      "0x",
      `${wallet.slice(0, -1)}g`,
      wallet.replace(/[a-f]/, (x) => x.toUpperCase()),
    ]) {
      if (wrong === wallet) continue;
      const { code } = await refusal(dir, "POST", "/wallet", { wallet: wrong });
      expect(code, String(wrong)).to.equal("node_wallet_invalid");
    }
    expect(await sentFor("online")).to.deep.equal([]);
    await requestClient(dir, "POST", "/wallet", { wallet: wallet.toLowerCase() });
    expect(woken).to.equal(1);
    await stopClient();
    await startClient();
    expect(await requestClient(dir, "GET", "/status")).to.deep.include({ wallet });
    expect(await sentFor("online")).to.deep.equal([["setWallet", wallet]]);
  });

  it("keeps the consent of the environment for the environment's wallet alone", () => {
    const [own, other] = [`0x${"1".repeat(40)}`, `0x${"2".repeat(40)}`] as const;
    const env = { NODE_WALLET: own, NODE_WALLET_CONSENT: "0x12" } as const;
    const settings = { drained: false, offer: {} };
    expect(walletOf(settings, env)).to.deep.equal({ wallet: own, walletConsent: "0x12" });
    expect(walletOf({ ...settings, wallet: other }, env)).to.deep.equal({
      wallet: other,
      walletConsent: undefined,
    });
  });

  it("changes the offer within the machine's limits, and returns to the settings of the environment", async () => {
    const changed = await requestClient(dir, "PATCH", "/offer", {
      pricePerSecond: "250",
      gpus: 1,
      cpuMilli: 99_000,
    });
    expect(changed).to.include({ pricePerSecond: "250", gpus: 1, cpuMilli: 8_000, memoryMib: 64_000 });
    expect(await requestClient(dir, "PATCH", "/offer", { diskGib: 10 })).to.include({ gpus: 1, diskGib: 10 });
    const reset = { pricePerSecond: null, gpus: null, cpuMilli: null, diskGib: null };
    expect(await requestClient(dir, "PATCH", "/offer", reset)).to.include({
      pricePerSecond: "100",
      gpus: 2,
      diskGib: 500,
    });
    expect(woken).to.equal(3);
  });

  it("refuses an invalid offer with the reason, and changes nothing", async () => {
    const invalid = [
      { pricePerSecond: "1.5" },
      { pricePerSecond: String(2n ** 64n) },
      { gpus: -1 },
      { gpus: 256 },
      { memoryMib: 0.5 },
      { unknown: 1 },
      [],
    ];
    for (const change of invalid) {
      const { code, message } = await refusal(dir, "PATCH", "/offer", change);
      expect([code, message.length > 20], JSON.stringify(change)).to.deep.equal(["offer_invalid", true]);
    }
    expect(readSettings(journal).offer).to.deep.equal({});
    expect((await refusal(dir, "POST", "/explode")).code).to.equal("control_not_found");
  });

  it("says that no client runs, and replaces the socket that a killed client left", async () => {
    await stopClient();
    expect((await refusal(dir, "GET", "/status")).code).to.equal("client_not_running");
    writeFileSync(socketPath(dir), "");
    expect((await refusal(dir, "GET", "/status")).code).to.equal("client_not_running");
    await startClient();
    expect(await requestClient(dir, "GET", "/status")).to.deep.include({ nodeId: 7 });
  });
});

describe("a line of the client's log", () => {
  it("is readable, and stays as it is when it is no event", () => {
    const line =
      '{"time":"2026-01-01T00:00:00Z","level":"warn","event":"gpu_sick","pid":1,"id":"GPU-1","detail":"fell off"}';
    expect(readableLine(line)).to.equal('2026-01-01T00:00:00Z warn  gpu_sick id=GPU-1 detail="fell off"');
    for (const other of ["", "plain text", "[1]", "null", "{"]) expect(readableLine(other)).to.equal(other);
  });
});
