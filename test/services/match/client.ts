import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import type { RelayKind, RelayMessage } from "@ngpu/protocol/relayKinds";
import { signRelay } from "@ngpu/protocol/signedMessages";
import { type ServerMessage, serverMessage } from "@ngpu/protocol/wire";
import { toJson } from "@ngpu/runtime/json";
import type { Hex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { WebSocket } from "ws";

type Said<Type extends ServerMessage["type"]> = Extract<ServerMessage, { type: Type }>;

/** A minimal client of a session: a node or a measurer. */
export type Peer = {
  account: PrivateKeyAccount;
  key: Hex;
  received: ServerMessage[];
  /** Resolves with the close code. */
  closed: Promise<number>;
  sendRaw(text: string): void;
  send(message: Record<string, unknown>): void;
  relay<Kind extends RelayKind>(id: string, kind: Kind, message: RelayMessage<Kind>): Promise<void>;
  /** Waits for a message that no earlier call returned. Fails when the connection closes before. */
  next<Type extends ServerMessage["type"]>(
    type: Type,
    holds?: (message: Said<Type>) => boolean,
    deadline?: number,
  ): Promise<Said<Type>>;
  /** Sends a heartbeat every 0.7 s until the connection closes. @returns a function that stops it */
  beat(slotSeconds: number): () => void;
  /** Stops reading, with the connection open, as after a network failure. */
  freeze(): void;
  /** Terminates the connection, as after a machine failure. */
  vanish(): void;
};

type Overrides = { time?: bigint; signer?: PrivateKeyAccount; host?: string };

/** Connects and sends the hello. The test awaits the response. */
export async function connect(
  url: string,
  deployment: Deployment,
  role: "node" | "measurer",
  account = privateKeyToAccount(generatePrivateKey()),
  overrides: Overrides = {},
): Promise<Peer> {
  const socket = new WebSocket(`${url}/v1/session`);
  const peer = peerOf(socket, deployment, account);
  await once(socket, "open");
  const challenge = await peer.next("challenge");
  const time = overrides.time ?? BigInt(Math.floor(Date.now() / 1_000));
  const signature = await (overrides.signer ?? account).signTypedData({
    domain: sessionDomainOf(deployment),
    types: sessionTypes,
    primaryType: "Session",
    message: {
      key: account.address,
      role,
      audience: challenge.audience,
      challenge: challenge.challenge as Hex,
      time,
    },
  });
  const host = overrides.host === undefined ? {} : { host: overrides.host };
  peer.send({ type: "hello", role, key: account.address, time, signature, version: "test", ...host });
  return peer;
}

function peerOf(socket: WebSocket, deployment: Deployment, account: PrivateKeyAccount): Peer {
  const received: ServerMessage[] = [];
  const seen = new Set<ServerMessage>();
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  socket.on("message", (data) => received.push(serverMessage.parse(JSON.parse(String(data)))));
  // A rejected session also emits an error; tests check `closed`.
  socket.on("error", () => undefined);
  const send = (message: Record<string, unknown>) => socket.send(toJson(message));
  return {
    account,
    key: account.address.toLowerCase() as Hex,
    received,
    closed,
    send,
    sendRaw: (text) => socket.send(text),
    async relay(id, kind, message) {
      send({
        type: "relay",
        id,
        kind,
        message,
        signature: await signRelay(account, deployment, kind, message),
      });
    },
    async next(type, holds = () => true, deadline = 45_000) {
      const end = Date.now() + deadline;
      for (;;) {
        const found = received.find(
          (message): message is Said<typeof type> =>
            message.type === type && !seen.has(message) && holds(message as Said<typeof type>),
        );
        if (found !== undefined) {
          seen.add(found);
          return found;
        }
        if (socket.readyState === WebSocket.CLOSED || Date.now() > end)
          throw new Error(`No ${type} was received; there were ${toJson(received)}`);
        await delay(20);
      }
    },
    beat(slotSeconds) {
      const timer = setInterval(() => {
        if (socket.readyState !== WebSocket.OPEN) return;
        const slot = BigInt(Math.floor(Date.now() / 1_000 / slotSeconds));
        send({ type: "heartbeat", slot, cpuLoad: 0.5, freeDiskGib: 10, running: [] });
      }, 700);
      socket.on("close", () => clearInterval(timer));
      return () => clearInterval(timer);
    },
    freeze: () => socket.pause(),
    vanish: () => socket.terminate(),
  };
}

let uuids = 0n;

/** A registration for the peer's own key. Each GPU gets a unique uuid. */
export function registration(
  peer: Pick<Peer, "account">,
  given: Partial<RelayMessage<"register">> = {},
): RelayMessage<"register"> {
  const gpus = given.spec?.total.gpus ?? 0;
  return {
    key: peer.account.address,
    wallet: "0x0000000000000000000000000000000000000000",
    spec: {
      gpuModel: "0x0000000000000000",
      vramMib: 0,
      computeCapability: 0,
      region: "0x4445",
      total: { gpus, cpuMilli: 8_000, memoryMib: 16_384, diskGib: 100, ports: 16 },
    },
    pricePerSecond: 10n,
    gpuName: "",
    gpuUuids: Array.from({ length: gpus }, () => `0x${(++uuids).toString(16).padStart(64, "0")}` as Hex),
    deadline: soon(),
    consent: "0x",
    ...given,
  };
}

/** A deadline ten minutes ahead, Unix seconds. */
export function soon(): bigint {
  return BigInt(Math.floor(Date.now() / 1_000)) + 600n;
}

/** Connects, registers and waits until the registration is on the chain. */
export async function joinNode(
  url: string,
  deployment: Deployment,
  given: Partial<RelayMessage<"register">> = {},
  account?: PrivateKeyAccount,
): Promise<{ peer: Peer; nodeId: number }> {
  const peer = await connect(url, deployment, "node", account);
  await peer.next("welcome");
  await peer.relay("register", "register", registration(peer, given));
  const { id } = await peer.next("welcome", (message) => message.id !== null);
  return { peer, nodeId: Number(id) };
}

/** The node at a position of a list. */
export function joinedAt<Joined>(nodes: readonly Joined[], position: number): Joined {
  const found = nodes[position];
  if (found === undefined) throw new Error(`There is no node at position ${position}.`);
  return found;
}

export async function joinMeasurer(
  url: string,
  deployment: Deployment,
): Promise<{ peer: Peer; measurerId: number }> {
  const peer = await connect(url, deployment, "measurer");
  await peer.next("welcome");
  await peer.relay("register", "registerMeasurer", {
    key: peer.account.address,
    wallet: "0x0000000000000000000000000000000000000000",
    region: "0x4445",
    deadline: soon(),
    consent: "0x",
  });
  const { id } = await peer.next("welcome", (message) => message.id !== null);
  return { peer, measurerId: Number(id) };
}
