import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { ServerMessage } from "@ngpu/protocol/wire";
import { expect } from "chai";
import type { LocalAccount } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import {
  type AcknowledgeOptions,
  slotAt,
  startAcknowledging,
} from "../../../services/match/presence/acknowledgeHeartbeats.ts";
import type { Session } from "../../../services/match/sessions/session.ts";
import { eventually } from "../support/context.ts";

// A slot that does not end during the test.
const deployment = {
  chainId: 31_337,
  contracts: { ComputeNode: `0x${"c0".repeat(20)}` },
  parameters: { slotSeconds: 3_600 },
} as unknown as Deployment;

describe("match: acknowledgements of heartbeats", () => {
  it("are signed once per slot, although a heartbeat arrives while one is being signed", async () => {
    const signer = privateKeyToAccount(generatePrivateKey());
    const stops: (() => void)[] = [];
    let signings = 0;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const signTypedData = async (message: Parameters<LocalAccount["signTypedData"]>[0]) => {
      signings += 1;
      await released;
      return signer.signTypedData(message);
    };
    const handle = startAcknowledging({
      context: { onStop: (_name: string, stop: () => void) => stops.push(stop), logger: { warn: () => {} } },
      deployment,
      account: { ...signer, signTypedData },
      presence: { mark: async () => {} },
      sessionMonitor: { recordHeartbeat: () => {} },
      metrics: { acks: { inc: () => {} } },
    } as unknown as AcknowledgeOptions);
    const sent: ServerMessage[] = [];
    const session = {
      role: "node",
      subjectId: 7,
      ackSlot: -1n,
      running: [],
      sickGpus: [],
      cpuLoad: null,
      send: (message: ServerMessage) => void sent.push(message),
    } as unknown as Session;
    const beat = () =>
      handle(session, { slot: slotAt(Date.now(), deployment), cpuLoad: 0.5, freeDiskGib: 10, running: [] });
    beat();
    await eventually("the first is being signed", () => signings === 1);
    beat();
    await eventually("the second is being signed too", () => signings === 2);
    release();
    await eventually("both are acknowledged", () => sent.length === 2);
    expect(sent.filter((message) => message.type === "ack" && message.signed !== undefined)).to.have.length(
      1,
    );
    for (const stop of stops) stop();
  });
});
