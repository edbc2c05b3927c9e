import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { readImageFacts } from "@ngpu/protocol/imageFacts";
import { RetryableError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { WebSocketServer } from "ws";
import { startSession } from "../../node-client/session.ts";
import { maintainTunnel } from "../../node-client/tunnel.ts";
import { eventually } from "../services/support/context.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

const account = privateKeyToAccount(generatePrivateKey());
const deployment = parseDeployment(deploymentDocument);
const logger = createLogger("test", "silent");

/** A TCP server that does one thing with each request and then stays silent. */
async function startSilentPeer(act: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", () => act(socket));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted: () => accepted,
    open: () => sockets.size,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const upgrade = (protocol: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;

/** Where a peer stops. */
const steps: Record<string, (socket: Socket) => void> = {
  "accepts and never answers": () => undefined,
  "answers half a head and stops": (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-"),
  "answers the head and stops": (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
  "sends half a body and stops": (socket) =>
    void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
  "drops the connection": (socket) => void socket.destroy(),
};

describe("a registry that falls silent", () => {
  for (const [what, act] of Object.entries(steps)) {
    it(`and ${what}: reading a manifest ends with a typed error, and its connection is closed`, async () => {
      const peer = await startSilentPeer(act);
      const error = await readImageFacts(`${peer.host}/image@sha256:${"ab".repeat(32)}`, {
        signal: new AbortController().signal,
        privateAddresses: true,
        deadline: 200,
      }).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(RetryableError).with.property("code", "image_manifest_unreachable");
      await eventually("the end of the connection", () => peer.open() === 0);
      peer.stop();
    });
  }
});

describe("a gateway that falls silent", () => {
  const all = { ...steps, "opens the tunnel and stops": (s: Socket) => void s.write(upgrade("ngpu-tunnel")) };
  for (const [what, act] of Object.entries(all)) {
    it(`and ${what}: the tunnel is closed and asked for again`, async () => {
      const peer = await startSilentPeer(act);
      const stopping = new AbortController();
      const ended = maintainTunnel({
        url: `http://${peer.host}`,
        account,
        deployment,
        logger,
        signal: stopping.signal,
        portOf: () => undefined,
        deadlines: { handshake: 150, pong: 150, close: 50, pingEvery: 50 },
      });
      await eventually("another request for a tunnel", () => peer.accepted() >= 2);
      stopping.abort();
      await ended;
      await eventually("the end of all connections", () => peer.open() === 0);
      peer.stop();
    });
  }
});

describe("a match instance that falls silent", () => {
  /** A match instance that opens sessions. */
  function startMatch(): { server: WebSocketServer; url: () => string } {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    const url = () => `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket) => {
      const send = (message: object) => socket.send(JSON.stringify(message));
      socket.on("message", () => send({ type: "welcome", id: 3, heartbeatSeconds: 5 }));
      send({ type: "challenge", challenge: `0x${"42".repeat(32)}`, audience: url() });
    });
    return { server, url };
  }

  async function opensElsewhere(silentUrl: string) {
    const match = startMatch();
    if (match.server.address() === null) await once(match.server, "listening");
    const stopping = new AbortController();
    const session = startSession({
      role: "node",
      account,
      deployment,
      version: "1",
      host: undefined,
      logger,
      signal: stopping.signal,
      urls: () => [silentUrl, match.url()],
      onMessage: () => undefined,
      deadlines: { handshake: 200, silence: 200, pingAfter: 50, check: 20 },
    });
    await eventually(
      "a session with the other instance",
      () => session.isOpen() && match.server.clients.size > 0,
    );
    stopping.abort();
    await session.done;
    for (const socket of match.server.clients) socket.terminate();
    match.server.close();
  }

  for (const [what, act] of Object.entries(steps)) {
    it(`and ${what}: the next instance is tried, and the connection is closed`, async () => {
      const peer = await startSilentPeer(act);
      await opensElsewhere(`ws://${peer.host}`);
      await eventually("the end of all connections", () => peer.open() === 0);
      peer.stop();
    });
  }

  for (const [what, stopsAfter] of [
    ["accepts a connection and sends no challenge", 0],
    ["sends a challenge and no welcome", 1],
    ["opens a session and stops", 2],
  ] as const) {
    it(`and ${what}: the next instance is tried, and the connection is closed`, async () => {
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1", autoPong: false });
      if (server.address() === null) await once(server, "listening");
      const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
      server.on("connection", (socket) => {
        const send = (message: object) => socket.send(JSON.stringify(message));
        if (stopsAfter > 1) socket.on("message", () => send({ type: "welcome", id: 3, heartbeatSeconds: 5 }));
        if (stopsAfter > 0) send({ type: "challenge", challenge: `0x${"42".repeat(32)}`, audience: url });
      });
      await opensElsewhere(url);
      await eventually("the end of all connections", () => server.clients.size === 0);
      server.close();
    });
  }
});
