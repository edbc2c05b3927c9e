import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import {
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import { type Hex, toHex } from "viem";
import { generatePrivateKey, type LocalAccount, privateKeyToAccount } from "viem/accounts";

export type Handshake = {
  role: string;
  audience: string;
  time: number;
  challenge: Hex;
  account: LocalAccount;
};

export type NodeServer = (request: Http2ServerRequest, response: Http2ServerResponse) => void | Promise<void>;

export type OpenTunnel = { session: ServerHttp2Session; socket: Socket; close: () => void };

export const newAccount = () => privateKeyToAccount(generatePrivateKey());

export async function handshakeHeaders(deployment: Deployment, handshake: Handshake) {
  const { account, role, audience, time, challenge } = handshake;
  const signature = await account.signTypedData({
    domain: sessionDomainOf(deployment),
    types: sessionTypes,
    primaryType: "Session",
    message: { key: account.address, role, audience, challenge, time: BigInt(time) },
  });
  return {
    "x-ngpu-key": account.address,
    "x-ngpu-time": String(time),
    "x-ngpu-challenge": challenge,
    "x-ngpu-signature": signature,
  };
}

/** A valid handshake of a node. */
export function goodHandshake(account: LocalAccount, audience: string): Handshake {
  const challenge = toHex(randomBytes(32));
  return { account, audience, challenge, role: "tunnel", time: Math.floor(Date.now() / 1000) };
}

/** Requests a tunnel and serves it as a node does; returns the refusal if there is one. */
export async function askForTunnel(
  url: string,
  headers: Record<string, string>,
  serve: NodeServer,
): Promise<OpenTunnel | { status: number; code: string }> {
  const asking = request(`${url}/v1/tunnel`, {
    headers: { ...headers, connection: "Upgrade", upgrade: "ngpu-tunnel" },
  });
  asking.end();
  const answered = Promise.withResolvers<OpenTunnel | { status: number; code: string }>();
  asking.once("error", answered.reject);
  asking.once("response", (response: IncomingMessage) => {
    response.resume();
    answered.resolve({
      status: response.statusCode ?? 0,
      code: String(response.headers["x-ngpu-error"]),
    });
  });
  asking.once("upgrade", (_response: IncomingMessage, socket: Socket, head: Buffer) => {
    // The gateway sends HTTP/2 right after its 101, so the first bytes may be in `head`.
    if (head.length > 0) socket.unshift(head);
    const server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
    server.once("session", (session) => {
      session.on("error", () => undefined);
      answered.resolve({ session, socket, close: () => socket.destroy() });
    });
    server.emit("connection", socket);
  });
  return answered.promise;
}

/** A container that returns the request and the node's name. */
export function echo(name: string): NodeServer {
  return async (incoming, outgoing) => {
    const body = await buffer(incoming);
    outgoing.writeHead(200, { "content-type": "application/json" });
    outgoing.end(
      JSON.stringify({
        name,
        path: incoming.url,
        method: incoming.method,
        bytes: body.length,
        authorization: incoming.headers.authorization ?? null,
        requestId: incoming.headers["x-request-id"] ?? null,
      }),
    );
  };
}

/** Waits until the gateway has closed the tunnel. */
export async function untilClosed(tunnel: OpenTunnel): Promise<void> {
  if (!tunnel.socket.destroyed) await once(tunnel.socket, "close");
}
