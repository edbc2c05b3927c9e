import { randomUUID } from "node:crypto";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Hex } from "viem";
import type { WebSocket } from "ws";
import type { MatchMetrics } from "../metrics.ts";
import type { Signal } from "./absenceStore.ts";
import { limits, type MonitoredConnection, readInOrder } from "./connection.ts";
import type { createDirectory } from "./directory.ts";
import { checkedHost, newChallenge, parseMessage, verifyHello } from "./handshake.ts";
import {
  type CloseReason,
  type Session,
  type SessionHandlers,
  type SessionsOptions,
  sessionReplaced,
} from "./session.ts";
import type { NewSession } from "./sessionStore.ts";

/** Dependencies that all connections share. */
export type SessionServer = Omit<SessionsOptions, "server"> &
  SessionHandlers & {
    directory: ReturnType<typeof createDirectory>;
    watch: (ws: WebSocket) => MonitoredConnection;
    take: (newSession: NewSession) => Promise<number | null>;
    drop: (ended: { id: string; signal: Signal; idleSeconds: number }) => Promise<void>;
  };

const unavailable = "match_unavailable";
/** @deadline A refused node or measurer to close its connection. It is cut. */
const refusedDeadline = 1_000;

/** Accepts a connection. The first message must be a hello, within `limits.helloMs`. */
export function acceptSession(server: SessionServer, ws: WebSocket, address: string | undefined): void {
  const { logger, metrics, directory } = server;
  const peer = { ...messenger(ws, metrics), challenge: newChallenge(), address };
  let session: Session | undefined;
  const helloTimer = setTimeout(
    () =>
      peer.close({
        code: "hello_missing",
        message: "No hello arrived in time.",
        hint: "Answer the challenge with hello at once.",
      }),
    limits.helloMs,
  );
  const handle = async (text: string) => {
    const message = parseMessage(text);
    metrics.messages.inc({ type: message.type });
    if (session !== undefined) return handleOpen(server, session, message);
    const opened = await open(server, peer, message);
    if (ws.readyState !== ws.OPEN) return server.drop({ id: opened.id, signal: "session", idleSeconds: 0 });
    clearTimeout(helloTimer);
    session = opened;
    directory.ofKey(session.key)?.close(sessionReplaced);
    directory.put(session);
    server.onOpen(session);
  };
  readInOrder(ws, handle, (error) => {
    if (error instanceof InputError) return peer.close(error);
    logger.warn({ event: "session_message_failed", session: session?.id, error });
    peer.close({
      code: unavailable,
      message: "The service is temporarily unavailable.",
      hint: "Connect again in a few seconds.",
    });
  });
  const connection = server.watch(ws);
  // Protocol errors of the peer are followed by "close".
  ws.on("error", (error) => logger.debug({ event: "session_socket_error", session: session?.id, error }));
  ws.on("close", () => {
    clearTimeout(helloTimer);
    if (connection.silent) metrics.closed.inc({ code: "silent" });
    if (session !== undefined && directory.drop(session)) onClosed(server, session, connection);
  });
  peer.send({ type: "challenge", challenge: peer.challenge, audience: server.audience });
}

function messenger(ws: WebSocket, metrics: MatchMetrics): Pick<Session, "send" | "close"> {
  const send = (message: ServerMessage) => {
    if (ws.readyState === ws.OPEN) ws.send(toJson(message));
  };
  const close = ({ code, message, hint }: CloseReason) => {
    if (ws.readyState !== ws.OPEN) return;
    metrics.closed.inc({ code });
    send({ type: "error", code, message, hint });
    ws.close(code === unavailable ? 1013 : 1008, code);
    setTimeout(() => ws.terminate(), refusedDeadline).unref();
  };
  return { send, close };
}

async function handleOpen(server: SessionServer, session: Session, message: ClientMessage): Promise<void> {
  if (message.type === "hello") {
    throw new InputError("The session is open already.", {
      code: "hello_unexpected",
      hint: "Send hello only once in a session.",
    });
  }
  await server.onMessage(session, message);
}

function onClosed(
  { logger, drop }: SessionServer,
  session: Session,
  { silent, lastMessageAt }: MonitoredConnection,
): void {
  const { id, role, subjectId } = session;
  const signal = silent ? "probe" : "session";
  const idleSeconds = silent ? (performance.now() - lastMessageAt) / 1_000 : 0;
  logger.info({ event: "session_closed", session: id, role, id: subjectId, signal });
  drop({ id, signal, idleSeconds }).catch((error) =>
    // The row is deleted with its instance, or replaced when the key reconnects.
    logger.warn({ event: "session_not_removed", session: id, error }),
  );
}

type Peer = Pick<Session, "send" | "close"> & { challenge: Hex; address: string | undefined };

async function open(server: SessionServer, peer: Peer, hello: ClientMessage): Promise<Session> {
  if (hello.type !== "hello") {
    throw new InputError("The first message must be hello.", {
      code: "hello_expected",
      hint: "Answer the challenge with hello before any other message.",
    });
  }
  const { deployment, audience, instance } = server;
  const { role, version } = hello;
  const now = BigInt(Math.floor(Date.now() / 1_000));
  const key = await verifyHello(deployment, { audience, challenge: peer.challenge, now }, hello);
  // Nothing connects to a measurer.
  const rule = { privateAddresses: server.privateAddresses || role === "measurer" };
  const host = await checkedHost(hello.host, peer.address, rule);
  const id = randomUUID();
  const subjectId = await server.take({ id, key, role, instance, host, version });
  server.logger.info({ event: "session_opened", session: id, role, address: key, id: subjectId });
  peer.send({ type: "welcome", id: subjectId, heartbeatSeconds: server.heartbeatSeconds });
  return {
    id,
    key,
    role,
    subjectId,
    host,
    send: peer.send,
    close: peer.close,
    cpuLoad: null,
    freeDiskGib: null,
    running: [],
    sickGpus: [],
    lastHeartbeatAt: performance.now(),
    heartbeatOverdue: false,
    ackSlot: -1n,
  };
}
