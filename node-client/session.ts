import { once } from "node:events";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
import { messageOf, RetryableError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { WebSocket } from "ws";
import { answerChallenge, type Greeter, parseMessage, sessionUrl } from "./sessionHandshake.ts";

export type SessionOptions = Greeter & {
  /** URLs of the market's match instances. */
  urls: () => readonly string[];
  logger: Logger;
  signal: AbortSignal;
  /** Called with every message of an open session, its welcome included. */
  onMessage: (message: ServerMessage) => void;
  deadlines?: Partial<typeof sessionDeadlines>;
};

export type Session = {
  /** Sends a message. @returns False when no session is open. */
  send(message: ClientMessage): boolean;
  isOpen(): boolean;
  /** Resolves after the signal was aborted and the socket is closed. */
  done: Promise<void>;
};

/**
 * Deadlines of a session, in milliseconds. match acknowledges every few seconds, and considers a silent node lost only after `silence`.
 */
export const sessionDeadlines = {
  /** @deadline The welcome of match. The connection is closed and the next match instance is tried. */
  handshake: 10_000,
  /** @deadline A message or pong of match. The connection is closed and the next match instance is tried. */
  silence: 7_500,
  /** Time without a message until a ping. */
  pingAfter: 4_500,
  /** Time between checks. */
  check: 1_000,
};
const maxBackoff = 15_000;

/** Keeps a session with one match instance open. When it ends, the next instance is tried after an increasing pause. */
export function startSession(options: SessionOptions): Session {
  const { logger, signal } = options;
  let socket: WebSocket | undefined;
  const isOpen = () => socket !== undefined && socket.readyState === WebSocket.OPEN;
  const run = async () => {
    for (let attempt = 0, failures = 0; !signal.aborted; attempt += 1) {
      const urls = options.urls();
      const url = urls[attempt % urls.length] ?? "";
      try {
        await runSession(options, url, (open) => {
          socket = open;
          failures = 0;
        });
        logger.info({ event: "session_closed", url });
      } catch (error) {
        if (!signal.aborted) logger.warn({ event: "session_failed", url, reason: messageOf(error) });
      }
      socket = undefined;
      failures += 1;
      // Jitter: nodes that lost the same instance must not reconnect simultaneously.
      const pause = Math.min(maxBackoff, 250 * 2 ** failures) * (0.5 + Math.random() / 2);
      await rest(pause, signal);
    }
  };
  return {
    isOpen,
    send: (message) => {
      if (socket === undefined || !isOpen()) return false;
      socket.send(toJson(message));
      return true;
    },
    done: run(),
  };
}

/** A connection to a match instance on its way to an open session. */
type Connection = {
  options: SessionOptions;
  url: string;
  socket: WebSocket;
  state: "challenged" | "greeted" | "open";
  /** Called when match has welcomed this machine. */
  onOpen: () => void;
  fail: (error: unknown) => void;
};

/** Opens one session. Resolves or rejects when it ends. */
async function runSession(
  options: SessionOptions,
  url: string,
  onOpen: (socket: WebSocket) => void,
): Promise<void> {
  const { signal, logger } = options;
  const deadlines = { ...sessionDeadlines, ...options.deadlines };
  const { handshake } = deadlines;
  const socket = new WebSocket(sessionUrl(url), { handshakeTimeout: handshake, maxPayload: 1 << 20 });
  const close = () => socket.terminate();
  signal.addEventListener("abort", close, { once: true });
  const ended = Promise.withResolvers<void>();
  socket.on("error", (error) => ended.reject(disconnected(error)));
  socket.on("close", () => ended.resolve());
  const deadline = setTimeout(close, handshake);
  const opened = () => {
    clearTimeout(deadline);
    logger.info({ event: "session_opened", url });
    onOpen(socket);
  };
  const connection: Connection = {
    options,
    url,
    socket,
    state: "challenged",
    onOpen: opened,
    fail: ended.reject,
  };
  socket.on("message", (data) => {
    const message = parseMessage(String(data), logger);
    if (message !== undefined) receive(connection, message);
  });
  const pingTimer = keepAlive(socket, deadlines);
  try {
    await ended.promise;
  } finally {
    clearTimeout(deadline);
    clearInterval(pingTimer);
    signal.removeEventListener("abort", close);
    await terminate(socket);
  }
}

function receive(connection: Connection, message: ServerMessage): void {
  const { options, url, socket, fail } = connection;
  if (message.type === "error") fail(refused(message));
  else if (message.type === "challenge" && connection.state === "challenged") {
    connection.state = "greeted";
    answerChallenge(options, url, message).then((hello) => socket.send(toJson(hello)), fail);
  } else if (message.type === "welcome" || connection.state === "open") {
    if (connection.state !== "open") {
      connection.state = "open";
      connection.onOpen();
    }
    options.onMessage(message);
  }
}

function disconnected(cause: Error): RetryableError {
  return new RetryableError(messageOf(cause), {
    code: "session_disconnected",
    hint: "Check that this machine reaches match. The client connects again.",
    cause,
  });
}

function refused({ code, message, hint }: Extract<ServerMessage, { type: "error" }>): RetryableError {
  return new RetryableError(`The session was rejected by match (${code}): ${message}`, {
    code: "session_refused",
    hint: hint ?? "See the log of match.",
  });
}

/** Closes a socket and waits until it is closed. */
async function terminate(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return;
  const closed = once(socket, "close");
  socket.terminate();
  await closed;
}

/** Pings an idle match instance and closes the connection when it does not respond. */
function keepAlive(
  socket: WebSocket,
  { silence, pingAfter, check }: typeof sessionDeadlines,
): NodeJS.Timeout {
  let lastMessageAt = Date.now();
  const markActive = () => {
    lastMessageAt = Date.now();
  };
  socket.on("message", markActive);
  socket.on("ping", markActive);
  socket.on("pong", markActive);
  return setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const idle = Date.now() - lastMessageAt;
    if (idle > silence) socket.terminate();
    else if (idle > pingAfter) socket.ping();
  }, check);
}
