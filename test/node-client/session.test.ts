import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import { type ClientMessage, clientMessage, type ServerMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { recoverTypedDataAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { type WebSocket, WebSocketServer } from "ws";
import { type Session, startSession } from "../../node-client/session.ts";
import { eventually } from "../services/support/context.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

const deployment = parseDeployment(deploymentDocument);
const challenge = `0x${"42".repeat(32)}` as const;

/** A match instance that speaks the protocol of packages/protocol/wire.ts. */
class Peer {
  readonly server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  sockets: WebSocket[] = [];
  received: ClientMessage[] = [];
  audience: string | undefined;

  async open(): Promise<string> {
    if (this.server.address() === null) await once(this.server, "listening");
    const url = `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    this.server.on("connection", (socket, request) => {
      if (request.url !== "/v1/session") return socket.close();
      this.sockets.push(socket);
      socket.on("message", (data) => {
        const message = clientMessage.parse(JSON.parse(String(data)));
        this.received.push(message);
        if (message.type === "hello") this.send({ type: "welcome", id: 3, heartbeatSeconds: 5 });
      });
      this.send({ type: "challenge", challenge, audience: this.audience ?? url });
    });
    return url;
  }

  send(message: ServerMessage | { type: string }): void {
    this.sockets.at(-1)?.send(JSON.stringify(message));
  }

  close(): void {
    for (const socket of this.sockets) socket.terminate();
    this.server.close();
  }
}

describe("a session with match", () => {
  const account = privateKeyToAccount(generatePrivateKey());
  let abort: AbortController;
  let peers: Peer[];
  let session: Session;
  let received: ServerMessage[];

  beforeEach(() => {
    abort = new AbortController();
    peers = [];
    received = [];
  });
  afterEach(async () => {
    abort.abort();
    await session.done;
    for (const peer of peers) peer.close();
  });
  const peer = () => {
    const made = new Peer();
    peers.push(made);
    return made;
  };
  const begin = (urls: string[]) => {
    session = startSession({
      role: "node",
      account,
      deployment,
      urls: () => urls,
      version: "1",
      host: undefined,
      logger: createLogger("test", "silent"),
      signal: abort.signal,
      onMessage: (message) => received.push(message),
    });
  };
  const welcomed = (count = 1) =>
    eventually("a welcome", () => received.filter(({ type }) => type === "welcome").length >= count);

  it("opens with a signature over the challenge and the audience", async () => {
    const match = peer();
    const url = await match.open();
    begin([url]);
    await welcomed();
    const [hello] = match.received;
    if (hello?.type !== "hello") throw new Error("no hello");
    const signer = await recoverTypedDataAddress({
      domain: sessionDomainOf(deployment),
      types: sessionTypes,
      primaryType: "Session",
      message: { key: account.address, role: "node", audience: url, challenge, time: hello.time },
      signature: hello.signature,
    });
    expect(signer).to.equal(account.address);
    expect(session.isOpen()).to.equal(true);
  });

  it("signs only for the instance it connected to", async () => {
    const match = peer();
    const url = await match.open();
    match.audience = "ws://another.test/";
    begin([url]);
    await eventually("a second attempt", () => match.sockets.length > 1);
    expect(match.received).to.deep.equal([]);
  });

  it("reopens after a lost connection, with another instance when one is gone", async () => {
    const first = peer();
    const second = peer();
    begin([await first.open(), await second.open()]);
    await welcomed();
    first.close();
    await welcomed(2);
    expect(second.received[0]?.type).to.equal("hello");
    expect(session.send({ type: "probeReady", roundId: 1n, port: 5 })).to.equal(true);
    await eventually("the message", () => second.received.some(({ type }) => type === "probeReady"));
  });

  it("ignores a message that this release does not support", async () => {
    const match = peer();
    begin([await match.open()]);
    await welcomed();
    match.send({ type: "news of a later release" });
    match.send({ type: "probeDone", roundId: "7" } as never);
    await eventually("the next message", () => received.some(({ type }) => type === "probeDone"));
  });

  it("returns false when no session is open", async () => {
    begin(["ws://127.0.0.1:9"]);
    expect(session.send({ type: "probeReady", roundId: 1n, port: 5 })).to.equal(false);
  });
});
