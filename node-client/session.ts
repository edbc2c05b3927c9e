import { once } from "node:events";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import { type ClientMessage, type ServerMessage, serverMessage } from "@ngpu/protocol/wire";
import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { Hex, LocalAccount } from "viem";
import { WebSocket } from "ws";

export type SessionOptions = {
  role: "node" | "measurer";
  account: LocalAccount;
  deployment: Deployment;
  /** URLs of the market's match instances. */
  urls: () => readonly string[];
  version: string;
  /** Host name or address of this machine's ports; default: the address that match sees. */
  host: string | undefined;
  logger: Logger;
  signal: AbortSignal;
  /** Called with every message of an open session, its welcome included. */
  onMessage: (message: ServerMessage) => void;
};

export type Session = {
  /** Sends a message. @returns False when no session is open. */
  send(message: ClientMessage): boolean;
  isOpen(): boolean;
  /** Resolves after the signal was aborted and the socket is closed. */
  done: Promise<void>;
};

/** Milliseconds from the connection to the welcome. */
const handshakeDeadline = 10_000;
/**
 * Milliseconds without a message until a ping, and until the connection is closed. match acknowledges every few seconds, and
 * considers a silent node lost only after this timeout.
 */
const pingAfter = 4_500;
const idleTimeout = 7_500;
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

/** Opens one session. Resolves or rejects when it ends. */
async function runSession(
  options: SessionOptions,
  url: string,
  onOpen: (socket: WebSocket) => void,
): Promise<void> {
  const { signal, logger } = options;
  const socket = new WebSocket(sessionUrl(url), { handshakeTimeout: handshakeDeadline, maxPayload: 1 << 20 });
  const close = () => socket.terminate();
  signal.addEventListener("abort", close, { once: true });
  const ended = Promise.withResolvers<void>();
  socket.on("error", (error) =>
    ended.reject(
      new RetryableError(messageOf(error), {
        code: "session_disconnected",
        hint: "Check that this machine reaches match. The client connects again.",
        cause: error,
      }),
    ),
  );
  socket.on("close", () => ended.resolve());
  let state: "challenged" | "greeted" | "open" = "challenged";
  const deadline = setTimeout(() => socket.terminate(), handshakeDeadline);
  socket.on("message", (data) => {
    const message = parse(String(data), logger);
    if (message === undefined) return;
    if (message.type === "error") {
      ended.reject(
        new RetryableError(`match refused the session (${message.code}): ${message.message}`, {
          code: "session_refused",
          hint: message.hint ?? "See the log of match.",
        }),
      );
    } else if (message.type === "challenge" && state === "challenged") {
      state = "greeted";
      answerChallenge(options, url, message).then((hello) => socket.send(toJson(hello)), ended.reject);
    } else if (message.type === "welcome" || state === "open") {
      if (state !== "open") {
        state = "open";
        clearTimeout(deadline);
        logger.info({ event: "session_opened", url });
        onOpen(socket);
      }
      options.onMessage(message);
    }
  });
  const pingTimer = keepAlive(socket);
  try {
    await ended.promise;
  } finally {
    clearTimeout(deadline);
    clearInterval(pingTimer);
    signal.removeEventListener("abort", close);
    if (socket.readyState !== WebSocket.CLOSED) {
      const closed = once(socket, "close");
      socket.terminate();
      await closed;
    }
  }
}

/** Pings an idle match instance and closes the connection when it does not respond. */
function keepAlive(socket: WebSocket): NodeJS.Timeout {
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
    if (idle > idleTimeout) socket.terminate();
    else if (idle > pingAfter) socket.ping();
  }, 1_000);
}

async function answerChallenge(
  { account, deployment, role, version, host }: SessionOptions,
  url: string,
  challenge: Extract<ServerMessage, { type: "challenge" }>,
): Promise<ClientMessage> {
  // With a signature for another audience, this instance could open a session elsewhere in the node's name.
  if (new URL(challenge.audience).href !== new URL(url).href) {
    throw new FatalError(
      `The instance at ${url} requested a signature for another audience, ${challenge.audience}.`,
      {
        code: "audience_mismatch",
        hint: "Check the URLs of match in the market's GET /v1/network.",
      },
    );
  }
  const time = BigInt(Math.floor(Date.now() / 1000));
  const signature: Hex = await account.signTypedData({
    domain: sessionDomainOf(deployment),
    types: sessionTypes,
    primaryType: "Session",
    message: {
      key: account.address,
      role,
      audience: challenge.audience,
      challenge: challenge.challenge,
      time,
    },
  });
  return {
    type: "hello",
    role,
    key: account.address,
    time,
    signature,
    version,
    ...(host !== undefined && { host }),
  };
}

function parse(text: string, logger: Logger): ServerMessage | undefined {
  try {
    return serverMessage.parse(JSON.parse(text));
  } catch (error) {
    // A newer match may send messages that this release does not support.
    logger.warn({ event: "session_message_unknown", reason: messageOf(error).slice(0, 300) });
    return undefined;
  }
}

function sessionUrl(url: string): string {
  const full = new URL(url);
  if (!full.pathname.endsWith("/v1/session"))
    full.pathname = `${full.pathname.replace(/\/$/, "")}/v1/session`;
  return full.href;
}
