import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Hex } from "viem";
import { type WebSocket, WebSocketServer } from "ws";
import type { Deployment } from "../shared/chain/deployment.ts";
import type { Database } from "../shared/db/pool.ts";
import { InputError } from "../shared/errors.ts";
import { toJson } from "../shared/json.ts";
import type { Logger } from "../shared/logger.ts";
import type { ClientMessage, ServerMessage } from "../shared/wire.ts";
import { limits, readInOrder, watchLife } from "./connection.ts";
import { hostOf, newChallenge, parseMessage, verifyHello } from "./handshake.ts";
import type { MatchMetrics } from "./metrics.ts";
import { dropSessions, type Role, subjectIds, takeSession } from "./sessionStore.ts";

export type Session = {
  id: string;
  key: Hex;
  role: Role;
  /** Node or measurer id; null before the registration is on the chain. */
  subjectId: number | null;
  host: string;
  /** From the last heartbeat. */
  cpuLoad: number | null;
  freeDiskGib: number | null;
  running: string[];
  /** Something was heard since the last flush to Postgres. */
  seen: boolean;
  send(message: ServerMessage): void;
  /** Says why and closes. */
  close(code: string, message: string): void;
};

/** Anything a session says once it is open. */
export type SessionMessage = Exclude<ClientMessage, { type: "hello" }>;

export type Sessions = {
  all(): Iterable<Session>;
  ofSubject(role: Role, id: number): Session | undefined;
  /** Closes every session, with the hint to come back. */
  stop(): Promise<void>;
};

export type SessionsOptions = {
  server: Server;
  pool: Database;
  deployment: Deployment;
  logger: Logger;
  metrics: MatchMetrics;
  instance: string;
  audience: string;
  heartbeatSeconds: number;
  onOpen: (session: Session) => void;
  onMessage: (session: Session, message: SessionMessage) => Promise<void>;
};

/** Serves `/v1/session`: a challenge, a signed hello, then messages, each handled after the one before it. */
export function serveSessions(options: SessionsOptions): Sessions {
  const wss = new WebSocketServer({ noServer: true, maxPayload: limits.maxBytes, perMessageDeflate: false });
  const byKey = new Map<string, Session>();
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (new URL(request.url ?? "/", "http://match").pathname !== "/v1/session") {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) =>
      accept(options, byKey, ws, request.socket.remoteAddress),
    );
  };
  options.server.on("upgrade", upgrade);
  return {
    all: () => byKey.values(),
    ofSubject: (role, id) => [...byKey.values()].find((one) => one.role === role && one.subjectId === id),
    async stop() {
      options.server.off("upgrade", upgrade);
      const ids = [...byKey.values()].map((session) => session.id);
      byKey.clear();
      for (const ws of wss.clients) ws.close(1012, "restarting");
      const cut = setTimeout(() => {
        for (const ws of wss.clients) ws.terminate();
      }, 1_000);
      await new Promise<void>((resolve) => wss.close(() => resolve()));
      clearTimeout(cut);
      if (ids.length > 0) await dropSessions(options.pool, ids);
    },
  };
}

function accept(
  options: SessionsOptions,
  byKey: Map<string, Session>,
  ws: WebSocket,
  address: string | undefined,
): void {
  const { logger, metrics } = options;
  const peer = { ...speaker(ws, metrics), challenge: newChallenge(), address };
  let session: Session | undefined;
  const helloTimer = setTimeout(() => peer.close("hello_missing", "No hello came in time."), limits.helloMs);
  const handle = async (text: string) => {
    const message = parseMessage(text);
    metrics.messages.inc({ type: message.type });
    if (session !== undefined) return handleOpen(options, session, message);
    const opened = await open(options, peer, message);
    if (ws.readyState !== ws.OPEN) return dropSessions(options.pool, [opened.id]);
    clearTimeout(helloTimer);
    session = opened;
    byKey.get(session.key)?.close("session_replaced", "The key opened another session.");
    byKey.set(session.key, session);
    options.onOpen(session);
  };
  readInOrder(ws, handle, (error) => {
    if (error instanceof InputError) return peer.close(error.code, error.message);
    logger.warn({ event: "session_message_failed", session: session?.id, error });
    peer.close("unavailable", "Something is not available here; connect again.");
  });
  watchLife(ws, () => {
    if (session !== undefined) session.seen = true;
  });
  // What the peer does wrong on the wire ends in "close" as well.
  ws.on("error", (error) => logger.debug({ event: "session_socket_fault", session: session?.id, error }));
  ws.on("close", () => {
    clearTimeout(helloTimer);
    if (session !== undefined && byKey.get(session.key) === session) gone(options, byKey, session);
  });
  peer.send({ type: "challenge", challenge: peer.challenge, audience: options.audience });
}

function speaker(ws: WebSocket, metrics: MatchMetrics): Pick<Session, "send" | "close"> {
  const send = (message: ServerMessage) => {
    if (ws.readyState === ws.OPEN) ws.send(toJson(message));
  };
  const close = (code: string, message: string) => {
    if (ws.readyState !== ws.OPEN) return;
    metrics.closed.inc({ code });
    send({ type: "error", code, message });
    ws.close(code === "unavailable" ? 1013 : 1008, code);
    setTimeout(() => ws.terminate(), 1_000).unref();
  };
  return { send, close };
}

async function handleOpen(options: SessionsOptions, session: Session, message: ClientMessage): Promise<void> {
  if (message.type === "hello") {
    throw new InputError("The session is open already.", { code: "hello_unexpected" });
  }
  await options.onMessage(session, message);
}

function gone({ pool, logger }: SessionsOptions, byKey: Map<string, Session>, session: Session): void {
  byKey.delete(session.key);
  logger.info({ event: "session_closed", session: session.id, role: session.role, id: session.subjectId });
  dropSessions(pool, [session.id]).catch((error) =>
    // The row goes stale by itself.
    logger.warn({ event: "session_row_left", session: session.id, error }),
  );
}

type Peer = Pick<Session, "send" | "close"> & { challenge: Hex; address: string | undefined };

async function open(options: SessionsOptions, peer: Peer, hello: ClientMessage): Promise<Session> {
  if (hello.type !== "hello") {
    throw new InputError("The first message must be hello.", { code: "hello_expected" });
  }
  const { pool, deployment, audience, instance } = options;
  const { role, version } = hello;
  const now = BigInt(Math.floor(Date.now() / 1_000));
  const key = await verifyHello(deployment, { audience, challenge: peer.challenge, now }, hello);
  const host = hostOf(hello.host, peer.address);
  const subjectId = (await subjectIds(pool, role, [key])).get(key) ?? null;
  const id = randomUUID();
  await takeSession(pool, { id, key, role, subjectId, instance, host, version });
  options.logger.info({ event: "session_opened", session: id, role, address: key, id: subjectId });
  peer.send({ type: "welcome", id: subjectId, heartbeatSeconds: options.heartbeatSeconds });
  return {
    ...{ id, key, role, subjectId, host, send: peer.send, close: peer.close },
    ...{ cpuLoad: null, freeDiskGib: null, running: [], seen: true },
  };
}
