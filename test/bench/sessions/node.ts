import { once } from "node:events";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import { ackSignerOf, type NodeHeartbeatAck } from "@ngpu/protocol/heartbeatAck";
import { type ServerMessage, serverMessage } from "@ngpu/protocol/wire";
import { toJson } from "@ngpu/runtime/json";
import type { PrivateKeyAccount } from "viem/accounts";
import { WebSocket } from "ws";

/** Measurements of all nodes of a run; times in ms. */
export type Notes = {
  handshakes: number[];
  /** Time from a heartbeat to its acknowledgement: the first of a slot, which is signed, and later ones. */
  receipts: number[];
  acks: number[];
  lost: number;
  samples: NodeHeartbeatAck[];
};

/** Opens the session of a node, with the messages of the node client: a hello, then heartbeats. */
export async function openNode(options: {
  url: string;
  deployment: Deployment;
  account: PrivateKeyAccount;
  notes: Notes;
}): Promise<{ beat(): void; heartbeatSeconds: number; close(): void }> {
  const { url, deployment, account, notes } = options;
  const began = performance.now();
  const socket = new WebSocket(`${url}/v1/session`, { perMessageDeflate: false });
  let slot = -1n;
  let sentAt = 0;
  let nodeId = 0;
  const welcomed = Promise.withResolvers<number>();
  socket.on("close", () => {
    notes.lost += 1;
    welcomed.reject(new Error("The session was closed."));
  });
  socket.on("error", welcomed.reject);
  socket.on("message", async (data) => {
    const message: ServerMessage = serverMessage.parse(JSON.parse(String(data)));
    if (message.type === "challenge") {
      const time = BigInt(Math.floor(Date.now() / 1_000));
      const { challenge, audience } = message;
      const signature = await account.signTypedData({
        domain: sessionDomainOf(deployment),
        types: sessionTypes,
        primaryType: "Session",
        message: { key: account.address, role: "node", audience, challenge, time },
      });
      socket.send(
        toJson({ type: "hello", role: "node", key: account.address, time, signature, version: "bench" }),
      );
    } else if (message.type === "welcome") {
      nodeId = message.id ?? 0;
      welcomed.resolve(message.heartbeatSeconds);
    } else if (message.type === "ack" && message.slot === slot && sentAt > 0) {
      (message.signed === undefined ? notes.acks : notes.receipts).push(performance.now() - sentAt);
      sentAt = 0;
      if (message.signed !== undefined && notes.samples.length < 50) {
        notes.samples.push({ slot, nodeId, ...message.signed });
      }
    } else if (message.type === "error") welcomed.reject(new Error(message.message));
  });
  const heartbeatSeconds = await welcomed.promise;
  notes.handshakes.push(performance.now() - began);
  return {
    heartbeatSeconds,
    beat() {
      if (socket.readyState !== WebSocket.OPEN) return;
      slot = BigInt(Math.floor(Date.now() / 1_000 / deployment.parameters.slotSeconds));
      sentAt = performance.now();
      socket.send(toJson({ type: "heartbeat", slot, cpuLoad: 0.5, freeDiskGib: 100, running: ["1/0/1"] }));
    },
    close() {
      socket.removeAllListeners("close");
      socket.terminate();
    },
  };
}

/** Number of sampled acknowledgements that the committer has signed. */
export async function validReceipts(
  deployment: Deployment,
  samples: readonly NodeHeartbeatAck[],
  committer: string,
): Promise<number> {
  const signers = await Promise.all(samples.map((sample) => ackSignerOf(deployment, sample)));
  return signers.filter((signer) => signer === committer).length;
}

/** Waits for the next message of the parent process. */
export async function nextOrder<Order>(): Promise<Order> {
  const [order] = (await once(process, "message")) as [Order];
  return order;
}
