import type { Server } from "node:http";
import { type Prover, startProver } from "@ngpu/proof/prover";
import type { WaveOrder } from "@ngpu/protocol/waves";
import { messageOf } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { type ClaimedDevice, encodeDevice } from "@ngpu/waves/claims";
import type { PrivateKeyAccount } from "viem/accounts";
import { probeHandler } from "../../../../images/probe/app.ts";
import { probeConfig } from "../../../../images/probe/env.ts";
import { listen } from "../../../../images/shared/serve.ts";
import { startSession } from "../../../../node-client/session.ts";
import { answerDevice } from "../../../../node-client/waves/answerDevice.ts";
import { awaitBlock } from "../../../../node-client/waves/chainBlocks.ts";
import { createPublisher } from "../../../../node-client/waves/mailbox.ts";
import { cpuDevice } from "../../../packages/proof/device.ts";
import type { TestMarket } from "../../../support/chain.ts";
import { joinNode, soon } from "../client.ts";

/** What the node claims: little, so that a busy machine proves it. */
export const claimed: ClaimedDevice = {
  figures: { bytes: 2n ** 24n, bytesPerSecond: 1_000_000n, operationsPerSecond: 1_000_000n },
  hardware: { kind: "cpu", cores: 1 },
};

export type ProvingNode = {
  nodeId: number;
  account: PrivateKeyAccount;
  orders: WaveOrder[];
  failures: string[];
  stop: () => Promise<void>;
};

/** A node that claims this machine's CPU, and proves it with OpenCL as the client does, in the probe's server without a container. */
export async function joinProvingNode(
  market: TestMarket,
  urls: () => readonly string[],
): Promise<ProvingNode> {
  const { deployment, client } = market;
  const device = await cpuDevice();
  const { peer, nodeId } = await joinNode(urls()[0] ?? "", deployment);
  await peer.relay("claim", "claimHardware", {
    nodeId,
    devices: [encodeDevice(claimed)],
    deadline: soon(),
  });
  await peer.next("relayed", ({ id, status }) => id === "claim" && status === "confirmed");
  peer.vanish();
  const stopped = new AbortController();
  const orders: WaveOrder[] = [];
  const failures: string[] = [];
  const session = startSession({
    role: "node",
    account: peer.account,
    deployment,
    urls,
    version: "test",
    host: undefined,
    logger: createLogger("node", "silent"),
    signal: stopped.signal,
    onMessage: (message) => {
      if (message.type !== "wave" || orders.some(({ token }) => token === message.token)) return;
      orders.push(message);
      answer(message).catch((error: unknown) => failures.push(messageOf(error)));
    },
  });
  const beat = setInterval(() => {
    const slot = BigInt(Math.floor(Date.now() / 1_000 / deployment.parameters.slotSeconds));
    session.send({ type: "heartbeat", slot, cpuLoad: 0.5, freeDiskGib: 10, running: [] });
  }, 700);

  async function answer(order: WaveOrder): Promise<void> {
    const { token, port, closesAt } = order;
    const driverToken = "what-this-node-shows";
    const config = probeConfig({ PROBE_TOKEN: token, PROBE_DRIVER_TOKEN: driverToken });
    const { server } = await listen(probeHandler(config), port, "127.0.0.1");
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(closesAt * 1_000 - Date.now())]);
    signal.addEventListener("abort", () => end(server), { once: true });
    const prover = await startProver({ device });
    try {
      const blockAt = (number: number) => awaitBlock(client, number, { until: closesAt * 1_000, signal });
      const publish = createPublisher({ port, device: 0, driverToken, signal });
      const subject = { device: 0, bytes: claimed.figures.bytes };
      await answerDevice({ prover: early(prover), blockAt, publish, now: Date.now }, order, subject);
    } finally {
      await prover.stop();
    }
  }

  return {
    nodeId,
    account: peer.account,
    orders,
    failures,
    stop: async () => {
      clearInterval(beat);
      stopped.abort();
      await session.done;
    },
  };
}

/** Milliseconds by which each part ends before the client would end it: a busy machine needs them to send its answer. */
const earlyMs = 4_000;
/** Milliseconds of a part at most. What the node claims is little: the rest of the time would only cost the CPU. */
const mostMs = 4_000;

function early(prover: Prover): Prover {
  const run: Prover["run"] = (kind, { milliseconds, ...options }) =>
    prover.run(kind, { ...options, milliseconds: Math.max(250, Math.min(mostMs, milliseconds - earlyMs)) });
  return { ...prover, run };
}

function end(server: Server): void {
  server.closeAllConnections();
  server.close();
}
