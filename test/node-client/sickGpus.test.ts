import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChainClient } from "@ngpu/chain-reader/client";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { clientMessage } from "@ngpu/protocol/wire";
import { toJson } from "@ngpu/runtime/json";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { zeroHash } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { watchGpus } from "../../node-client/gpuWatch.ts";
import { sendHeartbeats } from "../../node-client/heartbeat.ts";
import { openJournal } from "../../node-client/journal/open.ts";
import { openOutbox } from "../../node-client/journal/outbox.ts";
import { gpuIdOf, offerOf } from "../../node-client/offer.ts";
import { createOutbox } from "../../node-client/outbox.ts";
import type { Gpu, SickGpu } from "../../node-client/probe/gpu.ts";
import type { GpuReading } from "../../node-client/probe/hardware.ts";
import { ensureRegistered } from "../../node-client/registration.ts";
import { eventually } from "../services/support/context.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

const deployment = parseDeployment(deploymentDocument);
const logger = createLogger("test", "silent");
const gpu = (uuid: string): Gpu => ({ uuid, name: "NVIDIA H200", memoryMib: 143_771, computeCapability: 90 });
const sick = (id: string, name: string | null = "NVIDIA H200"): SickGpu => ({
  code: "gpu_lost",
  id,
  name,
  detail: "GPU is lost",
});
const first = gpu("GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10");
const second = gpu("GPU-1b9e7d44-8c52-41b3-a1f4-6f8d2c0e9b21");
const hardwareOf = (gpus: Gpu[], sickGpus: SickGpu[] = []) => ({
  gpus,
  sickGpus,
  cpuMilli: 8_000,
  memoryMib: 16_000,
  diskGib: 100,
  ports: 8,
});

describe("the watch of GPUs", () => {
  it("withdraws a card that falls sick and offers it again, but not on one failure of the whole tool", async () => {
    const driverFailed: GpuReading = {
      gpus: [],
      healthy: [],
      sickGpus: [{ code: "gpu_driver_failed", id: "nvidia-smi", name: null, detail: "busy" }],
    };
    const both: GpuReading = { gpus: [first, second], healthy: [first.uuid, second.uuid], sickGpus: [] };
    const one: GpuReading = { gpus: [first], healthy: [first.uuid], sickGpus: [sick(second.uuid)] };
    const readings = [driverFailed, both, one, one, both, driverFailed, driverFailed];
    const expected = [2, 2, 1, 1, 2, 2, 0];
    const changes = [0, 0, 1, 1, 2, 2, 3];
    const hardware = hardwareOf([first, second]);
    const abort = new AbortController();
    let read = 0;
    let changed = 0;
    const loop = watchGpus({
      hardware,
      read: async () => readings[read++] ?? both,
      onChange: () => {
        changed += 1;
      },
      logger,
      signal: abort.signal,
    });
    for (const [index, count] of expected.entries()) {
      await eventually("the cards are read", async () => {
        if (read <= index) loop.wake();
        return read === index + 1 && hardware.gpus.length === count && changed === changes[index];
      });
    }
    expect(hardware.sickGpus.map(({ code, id }) => [code, id])).to.deep.include(["gpu_lost", first.uuid]);
    abort.abort();
    await loop.done;
  });
});

describe("a heartbeat", () => {
  const heartbeatsOf = async (cards: SickGpu[]) => {
    const abort = new AbortController();
    const sent: unknown[] = [];
    const session = {
      isOpen: () => true,
      done: Promise.resolve(),
      send: (message: unknown) => {
        sent.push(JSON.parse(toJson(message)));
        abort.abort();
        return true;
      },
    };
    await sendHeartbeats({
      session,
      slotSeconds: 60,
      everySeconds: () => 30,
      dataDir: "/",
      running: () => [],
      sickGpus: () => cards,
      signal: abort.signal,
      logger,
    });
    return clientMessage.parse(sent[0]) as Extract<
      ReturnType<typeof clientMessage.parse>,
      { type: "heartbeat" }
    >;
  };

  it("names the sick cards with the reason, whatever their driver printed", async () => {
    const odd = { ...sick("x".repeat(500), "\0\ud800"), detail: `\udfff\0${"y".repeat(5_000)}` };
    const { sickGpus } = await heartbeatsOf([sick("GPU-1"), odd, ...Array<SickGpu>(100).fill(sick("GPU-2"))]);
    expect(sickGpus?.[0]).to.deep.equal(sick("GPU-1"));
    expect(sickGpus).to.have.length(64);
  });

  it("has no list of sick cards when there are none", async () => {
    expect(await heartbeatsOf([])).to.not.have.property("sickGpus");
  });
});

describe("a registration with sick cards", () => {
  const account = privateKeyToAccount(generatePrivateKey());
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-registration-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  /** The message that a node with this hardware registers with. */
  const registered = async (hardware: ReturnType<typeof hardwareOf>) => {
    const journal = openJournal(join(dir, "journal.sqlite"));
    const outbox = createOutbox({ journal, account, deployment, send: () => true, logger });
    await ensureRegistered({
      client: { readContract: async () => 0 } as unknown as ChainClient,
      deployment,
      account,
      wallet: undefined,
      walletConsent: undefined,
      logger,
      journal,
      outbox,
      offer: offerOf(hardware, { region: undefined, price: 1n }),
      status: "online",
      gpus: hardware.gpus,
      sickGpus: hardware.sickGpus,
      recordAbsence: async () => undefined,
    });
    const [item] = openOutbox(journal);
    journal.close();
    if (item?.kind !== "register") throw new Error("There is no registration.");
    return item.message as { spec: { total: Record<string, number> }; gpuUuids: string[] };
  };

  it("includes them without capacity, so that they can be offered once they recover", async () => {
    const { spec, gpuUuids } = await registered(hardwareOf([first], [sick(second.uuid)]));
    expect(gpuUuids).to.deep.equal([gpuIdOf(first.uuid), gpuIdOf(second.uuid)]);
    expect(spec.total).to.deep.equal({ gpus: 2, cpuMilli: 0, memoryMib: 0, diskGib: 0, ports: 0 });
  });

  it("leaves out sick cards of another model, and offers at once when all are healthy", async () => {
    const { spec, gpuUuids } = await registered(hardwareOf([first], [sick("GPU-other", "NVIDIA A10")]));
    expect(gpuUuids).to.deep.equal([gpuIdOf(first.uuid)]);
    expect(spec.total).to.include({ gpus: 1, cpuMilli: 8_000 });
  });

  it("makes ids that another machine may have its own, and holds at most 64 cards", async () => {
    const cards = Array.from({ length: 70 }, (_, index) => sick(`0000:${index}:00.0`, null));
    const { gpuUuids } = await registered(hardwareOf([first], cards));
    expect(gpuUuids).to.have.length(64);
    expect(gpuUuids[1]).to.equal(gpuIdOf(`${account.address}/0000:0:00.0`));
    expect(gpuUuids).to.not.include(zeroHash);
  });
});
