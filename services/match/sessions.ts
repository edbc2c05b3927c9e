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

export const limits = {
  maxBytes: 256 * 1024,
  /** Messages a second, and how many may come at once. */
  rate: 50,
  burst: 300,
  helloMs: 10_000,
  pingMs: 2_000,
  /** Without a word for so long the peer is gone, in ms. */
  silenceMs: 5_000,
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
  peer: string | undefined,
): void {
  const { logger, metrics } = options;
  const challenge = newChallenge();
  let session: Session | undefined;
  let tokens = limits.burst;
  let refilled = Date.now();
  let heard = Date.now();
  let chain = Promise.resolve();
  let waiting = 0;
  const send = (message: ServerMessage) => {
    if (ws.readyState === ws.OPEN) ws.send(toJson(message));
  };
  const close = (code: string, message: string) => {
    metrics.closed.inc({ code });
    send({ type: "error", code, message });
    ws.close(code === "unavailable" ? 1013 : 1008, code);
    setTimeout(() => ws.terminate(), 1_000).unref();
  };
  const fault = (error: unknown) => {
    if (error instanceof InputError) return close(error.code, error.message);
    logger.warn({ event: "session_message_failed", session: session?.id, error });
    close("unavailable", "Something is not available here; connect again.");
  };
  const handle = async (text: string) => {
    if (ws.readyState !== ws.OPEN) return;
    const message = parseMessage(text);
    metrics.messages.inc({ type: message.type });
    if (session === undefined) {
      if (message.type !== "hello") {
        throw new InputError("The first message must be hello.", { code: "hello_expected" });
      }
      const opened = await open(options, { send, close, challenge, peer }, message);
      if (ws.readyState !== ws.OPEN) return dropSessions(options.pool, [opened.id]);
      session = opened;
      byKey.get(session.key)?.close("session_replaced", "The key opened another session.");
      byKey.set(session.key, session);
      clearTimeout(helloTimer);
      options.onOpen(session);
      return;
    }
    if (message.type === "hello") {
      throw new InputError("The session is open already.", { code: "hello_unexpected" });
    }
    session.seen = true;
    await options.onMessage(session, message);
  };
  ws.on("message", (data) => {
    heard = Date.now();
    tokens = Math.min(limits.burst, tokens + ((heard - refilled) / 1_000) * limits.rate);
    refilled = heard;
    tokens -= 1;
    if (tokens < 0) return close("rate_exceeded", `More than ${limits.rate} messages a second.`);
    waiting += 1;
    if (waiting > 32) ws.pause();
    chain = chain
      .then(() => handle(String(data)))
      .catch(fault)
      .finally(() => {
        waiting -= 1;
        if (waiting < 8 && ws.isPaused) ws.resume();
      });
  });
  ws.on("pong", () => {
    heard = Date.now();
    if (session !== undefined) session.seen = true;
  });
  // What the peer does wrong on the wire ends in "close" as well.
  ws.on("error", (error) => logger.debug({ event: "session_socket_fault", session: session?.id, error }));
  const helloTimer = setTimeout(() => close("hello_missing", "No hello came in time."), limits.helloMs);
  const pinger = setInterval(() => {
    if (Date.now() - heard > limits.silenceMs && !ws.isPaused) return ws.terminate();
    if (ws.readyState === ws.OPEN) ws.ping();
  }, limits.pingMs);
  ws.on("close", () => {
    clearTimeout(helloTimer);
    clearInterval(pinger);
    if (session === undefined || byKey.get(session.key) !== session) return;
    byKey.delete(session.key);
    logger.info({ event: "session_closed", session: session.id, role: session.role, id: session.subjectId });
    dropSessions(options.pool, [session.id]).catch((error) =>
      // The row goes stale by itself.
      logger.warn({ event: "session_row_left", session: session?.id, error }),
    );
  });
  send({ type: "challenge", challenge, audience: options.audience });
}

type Peer = Pick<Session, "send" | "close"> & { challenge: Hex; peer: string | undefined };

async function open(
  options: SessionsOptions,
  { send, close, challenge, peer }: Peer,
  hello: Extract<ClientMessage, { type: "hello" }>,
): Promise<Session> {
  const { pool, deployment, audience, instance } = options;
  const now = BigInt(Math.floor(Date.now() / 1_000));
  const key = await verifyHello(deployment, { audience, challenge, now }, hello);
  const host = hostOf(hello.host, peer);
  const subjectId = (await subjectIds(pool, hello.role, [key])).get(key) ?? null;
  const id = randomUUID();
  await takeSession(pool, { id, key, role: hello.role, subjectId, instance, host, version: hello.version });
  options.logger.info({
    event: "session_opened",
    session: id,
    role: hello.role,
    address: key,
    id: subjectId,
  });
  send({ type: "welcome", id: subjectId, heartbeatSeconds: options.heartbeatSeconds });
  return {
    ...{ id, key, role: hello.role, subjectId, host, send, close },
    ...{ cpuLoad: null, freeDiskGib: null, running: [], seen: true },
  };
}
