import { randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { performServerHandshake, type ServerHttp2Session } from "node:http2";
import { request as httpsRequest } from "node:https";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import { messageOf, RetryableError } from "@ngpu/runtime/errors";
import { tunnelOptions, tunnelStreams } from "@ngpu/runtime/httpLimits";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { bytesToHex, type LocalAccount } from "viem";
import { createContainerAgent } from "./containerAgent.ts";
import type { LeaseKey } from "./leases.ts";
import type { NodeRequests } from "./nodeRequests.ts";
import { proxyStream } from "./proxy.ts";

export type TunnelOptions = {
  /** The gateway's public URL, from the market's description. */
  url: string;
  account: LocalAccount;
  deployment: Deployment;
  portOf: (lease: LeaseKey) => number | undefined;
  nodeRequests?: NodeRequests | undefined;
  logger: Logger;
  signal: AbortSignal;
  /** Called when the tunnel opens and closes. */
  onChange?: (isOpen: boolean) => void;
  deadlines?: Partial<typeof tunnelDeadlines>;
};

/** Deadlines of a tunnel, in milliseconds. */
export const tunnelDeadlines = {
  /** @deadline The gateway's answer to the request for a tunnel. The request is sent again after a pause. */
  handshake: 10_000,
  /** @deadline The gateway's answer to a ping. The tunnel and its requests are closed, and it is opened again. */
  pong: 14_000,
  /** @deadline The requests of a tunnel when the client stops. They are cut. */
  close: 3_000,
  /** Time between pings. */
  pingEvery: 15_000,
};
const maxBackoff = 15_000;

/** Keeps a tunnel to one gateway open until the signal is aborted. */
export async function maintainTunnel(options: TunnelOptions): Promise<void> {
  const { url, logger, signal } = options;
  for (let failures = 0; !signal.aborted; ) {
    try {
      const socket = await openTunnel(options);
      failures = 0;
      logger.info({ event: "tunnel_opened", url });
      options.onChange?.(true);
      await serve(options, socket);
      logger.info({ event: "tunnel_closed", url });
    } catch (error) {
      if (!signal.aborted) logger.warn({ event: "tunnel_failed", url, reason: messageOf(error) });
    }
    options.onChange?.(false);
    failures += 1;
    await rest(Math.min(maxBackoff, 250 * 2 ** failures) * (0.5 + Math.random() / 2), signal);
  }
}

/** Opens a connection that the gateway reverses. @throws RetryableError `tunnel_refused`, with the gateway's response. */
async function openTunnel(options: TunnelOptions): Promise<Duplex> {
  const { url, signal } = options;
  const { handshake } = { ...tunnelDeadlines, ...options.deadlines };
  const headers = await handshakeHeaders(options);
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/$/, "")}/v1/tunnel`;
  const opened = Promise.withResolvers<Duplex>();
  const request = (target.protocol === "https:" ? httpsRequest : httpRequest)(target, {
    headers: { connection: "Upgrade", upgrade: "ngpu-tunnel", ...headers },
    timeout: handshake,
    agent: false,
    signal,
  });
  const fail = (detail: string, cause?: unknown) =>
    opened.reject(
      new RetryableError(`The gateway refused the tunnel: ${detail}`, {
        code: "tunnel_refused",
        hint: "Check that this machine reaches the gateway and that its clock is right. The client tries again.",
        cause,
      }),
    );
  request.once("timeout", () => request.destroy(new Error("no response in time")));
  request.once("error", (error) => fail(messageOf(error), error));
  request.once("response", (response) => {
    response.resume();
    fail(`${response.statusCode} ${response.headers["x-ngpu-error"] ?? ""}`.trim());
  });
  request.once("upgrade", (_response, socket, head) => {
    request.setTimeout(0);
    if (head.length > 0) socket.unshift(head);
    opened.resolve(socket);
  });
  request.end();
  return opened.promise;
}

async function handshakeHeaders({
  account,
  deployment,
  url,
}: TunnelOptions): Promise<Record<string, string>> {
  const challenge = bytesToHex(randomBytes(32));
  const time = BigInt(Math.floor(Date.now() / 1000));
  const signature = await account.signTypedData({
    domain: sessionDomainOf(deployment),
    types: sessionTypes,
    primaryType: "Session",
    message: { key: account.address, role: "tunnel", audience: url, challenge, time },
  });
  return {
    "x-ngpu-key": account.address,
    "x-ngpu-time": time.toString(),
    "x-ngpu-challenge": challenge,
    "x-ngpu-signature": signature,
  };
}

/** Serves HTTP/2 on the reversed connection until it ends. */
async function serve(options: TunnelOptions, socket: Duplex): Promise<void> {
  const { portOf, nodeRequests, signal, logger, url } = options;
  const deadlines = { ...tunnelDeadlines, ...options.deadlines };
  if (socket instanceof Socket) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, deadlines.pingEvery);
  }
  const session: ServerHttp2Session = performServerHandshake(socket, {
    ...tunnelOptions,
    settings: { ...tunnelOptions.settings, maxConcurrentStreams: tunnelStreams },
  });
  const agent = createContainerAgent();
  session.on("error", (error) => logger.debug({ event: "tunnel_broken", url, reason: messageOf(error) }));
  session.on("stream", (stream, headers, _flags, rawHeaders) =>
    proxyStream(stream, headers, rawHeaders, { portOf, nodeRequests, agent, logger }),
  );
  session.setLocalWindowSize(8 << 20);
  const pingTimer = setInterval(() => pingOrDestroy(session, deadlines.pong), deadlines.pingEvery);
  const close = () => session.close();
  const destroyLater = () => setTimeout(() => session.destroy(), deadlines.close).unref();
  signal.addEventListener("abort", close, { once: true });
  signal.addEventListener("abort", destroyLater, { once: true });
  try {
    await new Promise<void>((resolve) => {
      session.once("close", resolve);
    });
  } finally {
    clearInterval(pingTimer);
    agent.destroy();
    signal.removeEventListener("abort", close);
    signal.removeEventListener("abort", destroyLater);
    socket.destroy();
  }
}

/** Destroys the session when the gateway does not respond to a ping. */
function pingOrDestroy(session: ServerHttp2Session, milliseconds: number): void {
  if (session.destroyed) return;
  const deadline = setTimeout(() => session.destroy(), milliseconds);
  if (!session.ping(() => clearTimeout(deadline))) clearTimeout(deadline);
}
