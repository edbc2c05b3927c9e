import type { IncomingMessage } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import { pingOrDestroy, retire, settingsOf, startSession, tunnelDeadlines } from "./tunnelSession.ts";

export type Tunnel = { nodeId: number; session: ClientHttp2Session; connectedAt: Date };

export type TunnelDependencies = {
  /** Authenticates a request and returns the node's id; throws an InputError when it is refused. */
  admit: (headers: IncomingMessage["headers"]) => Promise<number>;
  logger: Logger;
  /** Called when a tunnel was opened or closed. */
  onChange: () => void;
  deadlines?: Partial<typeof tunnelDeadlines>;
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

type TunnelState = Omit<TunnelDependencies, "deadlines"> & {
  deadlines: typeof tunnelDeadlines;
  /** The newest tunnel of each node. */
  newest: Map<number, Tunnel>;
  /** The sessions of all tunnels, replaced ones and those that are still opening included. */
  sessions: Set<ClientHttp2Session>;
};

/** Manages the tunnels that nodes open. In each tunnel the gateway is the HTTP/2 client and the node is the server. */
export function createTunnels(deps: TunnelDependencies): Tunnels {
  const deadlines = { ...tunnelDeadlines, ...deps.deadlines };
  const state: TunnelState = { ...deps, deadlines, newest: new Map(), sessions: new Set() };
  const { newest, sessions } = state;
  return {
    find: (nodeId) => {
      const tunnel = newest.get(nodeId);
      return tunnel === undefined || tunnel.session.closed || tunnel.session.destroyed ? undefined : tunnel;
    },
    all: () => [...newest.values()],
    accept: (request, socket, head) => accept(state, request, socket, head),
    ping: async () => {
      await Promise.all([...sessions].map((session) => pingOrDestroy(session, deadlines.pong)));
    },
    closeAll: async () => {
      const closed = [...sessions].map((session) => retire(session, deadlines.stop));
      await Promise.all(closed);
    },
  };
}

async function accept(
  state: TunnelState,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  // Until HTTP/2 owns the socket, a socket error must not end the process.
  socket.on("error", () => socket.destroy());
  try {
    requireTunnelRequest(request);
    const nodeId = await state.admit(request.headers);
    if (socket.destroyed) return;
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    await open(state, nodeId, socket);
  } catch (error) {
    state.logger.warn({ event: "tunnel_refused", reason: messageOf(error) });
    refuse(socket, error);
  }
}

/** Opens a node's tunnel, which replaces its earlier one. */
async function open(state: TunnelState, nodeId: number, socket: Duplex): Promise<void> {
  const { deadlines, newest, sessions, logger, onChange } = state;
  const session = startSession(nodeId, socket, logger);
  sessions.add(session);
  const tunnel: Tunnel = { nodeId, session, connectedAt: new Date() };
  session.once("close", () => drop(state, tunnel));
  await settingsOf(session, deadlines.settings);
  if (session.destroyed) return;
  const replaced = newest.get(nodeId);
  newest.set(nodeId, tunnel);
  if (replaced !== undefined) void retire(replaced.session, deadlines.retire);
  logger.info({ event: "tunnel_opened", nodeId, replaced: replaced !== undefined });
  onChange();
}

function drop({ newest, sessions, logger, onChange }: TunnelState, tunnel: Tunnel): void {
  sessions.delete(tunnel.session);
  // A replaced tunnel must not remove its successor.
  if (newest.get(tunnel.nodeId) !== tunnel) return;
  newest.delete(tunnel.nodeId);
  logger.info({ event: "tunnel_closed", nodeId: tunnel.nodeId });
  onChange();
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
