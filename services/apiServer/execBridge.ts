import { PassThrough } from "node:stream";
import { channels, createFrameReader, type ExecStatus, execStatus, frameOf } from "@ngpu/protocol/exec";
import { InputError } from "@ngpu/runtime/errors";
import type { Request, Response } from "express";
import type { WebSocket } from "ws";
import type { z } from "zod";
import type { ApiDeps } from "./deps.ts";
import type { attachQuery } from "./schemas/exec.ts";
import { endExecSession, markExecAttached } from "./store/execSessions.ts";
import { isUpgradable, upgrade } from "./upgrades.ts";

/** Times of a session's WebSocket, ms. */
const times = {
  /** @deadline A byte of a node with a session; it sends a message every 15 s. The client is cut, and attaches again. */
  silence: 60_000,
  /** @deadline A client of a session to answer a ping. It is cut, and its node keeps the session. */
  pong: 30_000,
  /** @deadline A client of a session to close its WebSocket. The connection is closed. */
  close: 2_000,
};

/** Why a WebSocket is closed, by RFC 6455. A client attaches again after `retry`. */
const closeCodes = { ended: 1000, retry: 1012, refused: 1003 };

/** Connects a client's WebSocket with its session on the node, until either ends. */
export async function serveAttached(
  deps: Pick<ApiDeps, "gateway" | "changes" | "db" | "logger">,
  request: Request,
  response: Response,
  of: {
    workspaceId: string;
    replica: number;
    session: string;
    query: z.output<typeof attachQuery>;
    disconnected: AbortSignal;
  },
): Promise<void> {
  if (!isUpgradable(request)) throw upgradeRequired();
  const input = new PassThrough();
  const ended = new AbortController();
  const signal = AbortSignal.any([of.disconnected, deps.changes.signal, ended.signal]);
  const { workspaceId, replica, session } = of;
  const { message, nodeId } = await deps.gateway.node({
    workspaceId,
    replica,
    path: `/exec/${session}?${new URLSearchParams(of.query)}`,
    method: "POST",
    headers: { "x-ngpu-total-timeout": "14400" },
    silence: times.silence,
    body: input,
    signal,
  });
  response.setHeader("x-ngpu-node-id", String(nodeId));
  const socket = await upgrade(request, response);
  if (socket !== undefined) {
    socket.on("close", () => ended.abort(new Error("the client has left")));
    pingClient(socket);
    passInput(socket, input);
    const end = await passUntilEnd(deps, { socket, message, session });
    close(socket, end === undefined ? closeCodes.retry : closeCodes.ended);
  }
  ended.abort(new Error("the session's connection has ended"));
  input.end();
}

type End = Extract<ExecStatus, { type: "ended" }>;

/** Passes and records what a node sends. After the upgrade there is no answer for an error: the client attaches again. */
async function passUntilEnd(
  { db, logger }: Pick<ApiDeps, "db" | "logger">,
  { socket, message, session }: { socket: WebSocket; message: AsyncIterable<Buffer>; session: string },
): Promise<End | undefined> {
  let end: End | undefined;
  try {
    await markExecAttached(db, session, true);
    end = await passOutput(message, socket).catch(() => undefined);
    if (end !== undefined) await endExecSession(db, session, end);
    else await markExecAttached(db, session, false);
  } catch (error) {
    logger.warn({ event: "exec_session_not_recorded", session, error });
  }
  return end;
}

/** Passes what a node sends. @returns The session's end, if the node has said it. */
async function passOutput(message: AsyncIterable<Buffer>, socket: WebSocket): Promise<End | undefined> {
  const reader = createFrameReader();
  let end: End | undefined;
  for await (const chunk of message) {
    for (const bytes of reader.take(chunk)) {
      if (bytes[0] === channels.status) {
        const status = execStatus.parse(JSON.parse(bytes.subarray(1).toString()));
        if (status.type === "ended") end = status;
      }
      // Resolves when the connection has taken it, so that a slow client slows the command.
      await new Promise<void>((resolve, reject) => {
        socket.send(bytes, { binary: true }, (error) => (error == null ? resolve() : reject(error)));
      });
    }
  }
  return end;
}

function passInput(socket: WebSocket, input: PassThrough): void {
  socket.on("error", () => socket.terminate());
  socket.on("message", (data: Buffer, isBinary) => {
    const channel = data[0];
    if (!isBinary || (channel !== channels.stdin && channel !== channels.control)) {
      close(socket, closeCodes.refused, "Send binary messages of channel 0 or 4.");
      return;
    }
    if (input.writableEnded || input.write(frameOf(data))) return;
    socket.pause();
    input.once("drain", () => socket.resume());
  });
}

/** Pings a client, and cuts the connection of one that does not answer. */
function pingClient(socket: WebSocket): void {
  let hasAnswered = true;
  socket.on("pong", () => {
    hasAnswered = true;
  });
  const timer = setInterval(() => {
    if (!hasAnswered) return socket.terminate();
    hasAnswered = false;
    socket.ping();
  }, times.pong);
  socket.once("close", () => clearInterval(timer));
}

function close(socket: WebSocket, code: number, reason = ""): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), times.close);
  socket.once("close", () => clearTimeout(timer));
}

function upgradeRequired(): InputError {
  return new InputError("A session is attached to over a WebSocket.", {
    code: "upgrade_required",
    hint: "Open the URL as a WebSocket, with the API key in `Authorization`.",
    status: 426,
  });
}
