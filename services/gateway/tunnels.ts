import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { tunnelOptions } from "@ngpu/runtime/httpLimits";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";

export type Tunnel = { nodeId: number; session: ClientHttp2Session; connectedAt: Date };

export type TunnelDependencies = {
  /** Authenticates a request and returns the node's id; throws an InputError when it is refused. */
  admit: (headers: IncomingMessage["headers"]) => Promise<number>;
  logger: Logger;
  /** Called when a tunnel was opened or closed. */
  onChange: () => void;
};

export type Tunnels = {
  /** The node's newest tunnel; undefined: none is open. */
  find(nodeId: number): Tunnel | undefined;
  all(): Tunnel[];
  /** Handles an upgrade request; never throws. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /** Pings every node and closes the tunnels of those that do not answer. */
  ping(): Promise<void>;
  /** Closes all tunnels. Requests in progress may end within a deadline. */
  closeAll(): Promise<void>;
};

export const tunnelPath = "/v1/tunnel";
export const tunnelProtocol = "ngpu-tunnel";

/* Deadlines in milliseconds. */
const pingDeadline = 10_000;
const settingsDeadline = 10_000;
/** For the requests of a replaced tunnel. */
const retireDeadline = 30_000;
const stopDeadline = 3_000;

/** Manages the tunnels that nodes open. In each tunnel the gateway is the HTTP/2 client and the node is the server. */
export function createTunnels(deps: TunnelDependencies): Tunnels {
  const tunnels = new Map<number, Tunnel>();
  const sessions = new Set<ClientHttp2Session>();

  const drop = (tunnel: Tunnel) => {
    sessions.delete(tunnel.session);
    // A replaced tunnel must not remove its successor.
    if (tunnels.get(tunnel.nodeId) !== tunnel) return;
    tunnels.delete(tunnel.nodeId);
    deps.logger.info({ event: "tunnel_closed", nodeId: tunnel.nodeId });
    deps.onChange();
  };

  const open = async (nodeId: number, socket: Duplex) => {
    const session = startSession(nodeId, socket, deps.logger);
    sessions.add(session);
    const tunnel: Tunnel = { nodeId, session, connectedAt: new Date() };
    session.once("close", () => drop(tunnel));
    // An HTTP/2 server sends its settings first. Until then the peer may speak any protocol.
    await once(session, "remoteSettings", { signal: AbortSignal.timeout(settingsDeadline) }).catch(
      (error: unknown) => {
        session.destroy();
        throw error;
      },
    );
    if (session.destroyed) return;
    const replaced = tunnels.get(nodeId);
    tunnels.set(nodeId, tunnel);
    if (replaced !== undefined) void retire(replaced.session, retireDeadline);
    deps.logger.info({ event: "tunnel_opened", nodeId, replaced: replaced !== undefined });
    deps.onChange();
  };

  return {
    find: (nodeId) => {
      const tunnel = tunnels.get(nodeId);
      return tunnel === undefined || tunnel.session.closed || tunnel.session.destroyed ? undefined : tunnel;
    },
    all: () => [...tunnels.values()],
    accept: async (request, socket, head) => {
      // Until HTTP/2 owns the socket, a socket error must not end the process.
      socket.on("error", () => socket.destroy());
      try {
        requireTunnelRequest(request);
        const nodeId = await deps.admit(request.headers);
        if (socket.destroyed) return;
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`,
        );
        if (head.length > 0) socket.unshift(head);
        await open(nodeId, socket);
      } catch (error) {
        deps.logger.warn({ event: "tunnel_refused", reason: messageOf(error) });
        refuse(socket, error);
      }
    },
    ping: async () => {
      await Promise.all([...sessions].map(pingOrDestroy));
    },
    closeAll: async () => {
      const closed = [...sessions].map((session) => retire(session, stopDeadline));
      await Promise.all(closed);
    },
  };
}

function startSession(nodeId: number, socket: Duplex, logger: Logger): ClientHttp2Session {
  if (socket instanceof Socket) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
  }
  const session = connect(`http://node-${nodeId}`, {
    createConnection: () => socket,
    ...tunnelOptions,
    settings: { ...tunnelOptions.settings, enablePush: false },
  });
  session.on("error", (error) => logger.debug({ event: "tunnel_broken", nodeId, error }));
  session.once("connect", () => session.setLocalWindowSize(8 << 20));
  // Sockets of an HTTP server stay half open. Without this a disconnected node would be detected only by pings.
  socket.once("end", () => session.destroy(new Error("the node closed its tunnel")));
  return session;
}

/** Closes a session. Requests in progress may end within a deadline. */
async function retire(session: ClientHttp2Session, milliseconds: number): Promise<void> {
  if (session.destroyed) return;
  const closed = Promise.withResolvers<void>();
  session.once("close", closed.resolve);
  session.close();
  const deadline = setTimeout(
    () => session.destroy(new Error("the requests of the tunnel did not end in time")),
    milliseconds,
  );
  deadline.unref();
  await closed.promise;
  clearTimeout(deadline);
}

async function pingOrDestroy(session: ClientHttp2Session): Promise<void> {
  if (session.destroyed) return;
  const answered = Promise.withResolvers<void>();
  // Destroyed with an error, so that a response in progress counts as cut.
  const destroy = () => session.destroy(new Error("the node does not answer pings"));
  const deadline = setTimeout(destroy, pingDeadline);
  session.once("close", answered.resolve);
  if (!session.ping((error) => (error === null ? answered.resolve() : destroy()))) destroy();
  await answered.promise;
  session.off("close", answered.resolve);
  clearTimeout(deadline);
}

function requireTunnelRequest(request: IncomingMessage): void {
  const path = request.url?.split("?")[0];
  if (path === tunnelPath && request.method === "GET") {
    if (request.headers.upgrade?.toLowerCase() === tunnelProtocol) return;
  }
  throw new InputError(`Only GET ${tunnelPath} with Upgrade: ${tunnelProtocol} can be upgraded here.`, {
    code: "upgrade_unsupported",
    hint: `Send GET ${tunnelPath} with Upgrade: ${tunnelProtocol}.`,
    status: 404,
  });
}

const unavailable = {
  code: "gateway_unavailable",
  message: "The tunnel cannot be opened now.",
  hint: "Try again in a few seconds.",
};

function refuse(socket: Duplex, error: unknown): void {
  if (socket.destroyed) return;
  const known = error instanceof InputError;
  const status = known ? error.status : 503;
  const { code, message, hint } = known ? error : unavailable;
  const body = toJson({ error: { code, message, hint } });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nx-ngpu-error: ${code}\r\n\r\n${body}`,
  );
}
