import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import { type WebSocket, WebSocketServer } from "ws";
import type { MatchMetrics } from "../metrics.ts";
import { dropSessions, type Signal } from "./absenceStore.ts";
import { type Line, limits, readInOrder, watchLines } from "./connection.ts";
import { createDirectory, type Directory } from "./directory.ts";
import { gather } from "./gather.ts";
import { hostOf, newChallenge, parseMessage, verifyHello } from "./handshake.ts";
import { type Newcomer, type Role, takeSessions } from "./sessionStore.ts";

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
  /** When it last beat, or opened, in ms. */
  beatAt: number;
  /** It answers, but has not beaten for too long. */
  missed: boolean;
  /** The last slot for which it has a receipt. */
  receiptSlot: bigint;
  send(message: ServerMessage): void;
  /** Says why and closes. */
  close(code: string, message: string): void;
};

/** Anything a session says once it is open. */
export type SessionMessage = Exclude<ClientMessage, { type: "hello" }>;

export type Sessions = Directory & {
  /** Closes those of the sessions that are here: their keys opened newer ones elsewhere. */
  replaced(ids: readonly string[]): void;
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

/** How long arrivals and departures are gathered into one statement, in ms. */
const gatherMs = 25;

/** What all connections share. */
type Hall = SessionsOptions & {
  directory: ReturnType<typeof createDirectory>;
  watch: (ws: WebSocket) => Line;
  take: (newcomer: Newcomer) => Promise<number | null>;
  drop: (ended: { id: string; signal: Signal; quietSeconds: number }) => Promise<void>;
};

/** Serves `/v1/session`: a challenge, a signed hello, then messages, each handled after the one before it. */
export function serveSessions(options: SessionsOptions): Sessions {
  const { pool } = options;
  const wss = new WebSocketServer({ noServer: true, maxPayload: limits.maxBytes, perMessageDeflate: false });
  const directory = createDirectory();
  const lines = watchLines();
  const hall: Hall = {
    ...options,
    directory,
    watch: lines.watch,
    take: gather(gatherMs, async (newcomers: Newcomer[]) => {
      // The last one of a key that comes twice at once; the other finds itself replaced.
      const newest = new Map(newcomers.map((one) => [one.key, one]));
      const ids = await takeSessions(pool, [...newest.values()], options.deployment.parameters.before);
      return newcomers.map(({ key }) => ids.get(key) ?? null);
    }),
    drop: gather(gatherMs, async (ended) => {
      await dropSessions(pool, ended);
      return ended.map(() => undefined);
    }),
  };
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (new URL(request.url ?? "/", "http://match").pathname !== "/v1/session") {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => accept(hall, ws, request.socket.remoteAddress));
  };
  options.server.on("upgrade", upgrade);
  return {
    ...directory,
    replaced(ids) {
      for (const id of ids) {
        directory.withId(id)?.close("session_replaced", "The key opened another session.");
      }
    },
    async stop() {
      options.server.off("upgrade", upgrade);
      const ended = [...directory.all()];
      directory.clear();
      for (const ws of wss.clients) ws.close(1012, "restarting");
      const cut = setTimeout(() => {
        for (const ws of wss.clients) ws.terminate();
      }, 1_000);
      await new Promise<void>((resolve) => wss.close(() => resolve()));
      clearTimeout(cut);
      lines.stop();
      await dropSessions(
        pool,
        ended.map(({ id }) => ({ id, signal: "session", quietSeconds: 0 })),
      );
    },
  };
}

function accept(hall: Hall, ws: WebSocket, address: string | undefined): void {
  const { logger, metrics, directory } = hall;
  const peer = { ...speaker(ws, metrics), challenge: newChallenge(), address };
  let session: Session | undefined;
  const helloTimer = setTimeout(() => peer.close("hello_missing", "No hello came in time."), limits.helloMs);
  const handle = async (text: string) => {
    const message = parseMessage(text);
    metrics.messages.inc({ type: message.type });
    if (session !== undefined) return handleOpen(hall, session, message);
    const opened = await open(hall, peer, message);
    if (ws.readyState !== ws.OPEN) return hall.drop({ id: opened.id, signal: "session", quietSeconds: 0 });
    clearTimeout(helloTimer);
    session = opened;
    directory.ofKey(session.key)?.close("session_replaced", "The key opened another session.");
    directory.put(session);
    hall.onOpen(session);
  };
  readInOrder(ws, handle, (error) => {
    if (error instanceof InputError) return peer.close(error.code, error.message);
    logger.warn({ event: "session_message_failed", session: session?.id, error });
    peer.close("unavailable", "Something is not available here; connect again.");
  });
  const line = hall.watch(ws);
  // What the peer does wrong on the wire ends in "close" as well.
  ws.on("error", (error) => logger.debug({ event: "session_socket_fault", session: session?.id, error }));
  ws.on("close", () => {
    clearTimeout(helloTimer);
    if (line.silent) metrics.closed.inc({ code: "silent" });
    if (session !== undefined && directory.drop(session)) gone(hall, session, line);
  });
  peer.send({ type: "challenge", challenge: peer.challenge, audience: hall.audience });
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

async function handleOpen(hall: Hall, session: Session, message: ClientMessage): Promise<void> {
  if (message.type === "hello") {
    throw new InputError("The session is open already.", { code: "hello_unexpected" });
  }
  await hall.onMessage(session, message);
}

function gone({ logger, drop }: Hall, session: Session, line: Line): void {
  const { id, role, subjectId } = session;
  const signal = line.silent ? "probe" : "session";
  const quietSeconds = line.silent ? (Date.now() - line.heardAt) / 1_000 : 0;
  logger.info({ event: "session_closed", session: id, role, id: subjectId, signal });
  drop({ id, signal, quietSeconds }).catch((error) =>
    // The row goes with the instance's own, or when the key comes back.
    logger.warn({ event: "session_row_left", session: id, error }),
  );
}

type Peer = Pick<Session, "send" | "close"> & { challenge: Hex; address: string | undefined };

async function open(hall: Hall, peer: Peer, hello: ClientMessage): Promise<Session> {
  if (hello.type !== "hello") {
    throw new InputError("The first message must be hello.", { code: "hello_expected" });
  }
  const { deployment, audience, instance } = hall;
  const { role, version } = hello;
  const now = BigInt(Math.floor(Date.now() / 1_000));
  const key = await verifyHello(deployment, { audience, challenge: peer.challenge, now }, hello);
  const host = hostOf(hello.host, peer.address);
  const id = randomUUID();
  const subjectId = await hall.take({ id, key, role, instance, host, version });
  hall.logger.info({ event: "session_opened", session: id, role, address: key, id: subjectId });
  peer.send({ type: "welcome", id: subjectId, heartbeatSeconds: hall.heartbeatSeconds });
  return {
    ...{ id, key, role, subjectId, host, send: peer.send, close: peer.close },
    ...{ cpuLoad: null, freeDiskGib: null, running: [], beatAt: Date.now(), missed: false, receiptSlot: -1n },
  };
}
