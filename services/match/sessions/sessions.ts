import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { dropSessions } from "./absenceStore.ts";
import { acceptSession, type SessionServer } from "./acceptSession.ts";
import { batch } from "./batch.ts";
import { createConnectionMonitor, limits } from "./connection.ts";
import { createDirectory, type Directory } from "./directory.ts";
import { type SessionHandlers, type SessionsOptions, sessionReplaced } from "./session.ts";
import { type NewSession, takeSessions } from "./sessionStore.ts";

export type Sessions = Directory & {
  /** Closes those of the sessions that are on this instance: their keys opened newer ones elsewhere. */
  replaced(ids: readonly string[]): void;
  /** Starts to accept sessions. */
  serve(handlers: SessionHandlers): void;
  /** Closes all sessions with the code 1012: the peers reconnect. */
  stop(): Promise<void>;
};

/** Delay in which opened and closed sessions are collected for one statement, ms. */
const batchDelayMs = 25;

/** Serves `/v1/session`: a challenge, a signed hello, then messages, handled in order. */
export function createSessions(options: SessionsOptions): Sessions {
  const { pool } = options;
  const wss = new WebSocketServer({ noServer: true, maxPayload: limits.maxBytes, perMessageDeflate: false });
  const directory = createDirectory();
  const connectionMonitor = createConnectionMonitor();
  const shared = { ...options, ...createRows(options), directory, watch: connectionMonitor.watch };
  const stopped = new AbortController();
  return {
    ...directory,
    replaced(ids) {
      for (const id of ids) {
        directory.withId(id)?.close(sessionReplaced);
      }
    },
    serve(handlers) {
      const upgrade = upgradeWith(wss, { ...shared, ...handlers });
      options.server.on("upgrade", upgrade);
      stopped.signal.addEventListener("abort", () => options.server.off("upgrade", upgrade));
    },
    async stop() {
      stopped.abort();
      const ended = [...directory.all()];
      directory.clear();
      await closeAll(wss);
      connectionMonitor.stop();
      await dropSessions(
        pool,
        ended.map(({ id }) => ({ id, signal: "session", idleSeconds: 0 })),
      );
    },
  };
}

/** Writes the rows of opened and closed sessions in batches. */
function createRows({ pool, deployment }: SessionsOptions): Pick<SessionServer, "take" | "drop"> {
  return {
    take: batch(batchDelayMs, async (newSessions: NewSession[]) => {
      // The newest session of each key; the others of the batch are replaced.
      const newest = new Map(newSessions.map((one) => [one.key, one]));
      const ids = await takeSessions(pool, [...newest.values()], deployment.parameters.before);
      return newSessions.map(({ key }) => ids.get(key) ?? null);
    }),
    drop: batch(batchDelayMs, async (ended) => {
      await dropSessions(pool, ended);
      return ended.map(() => undefined);
    }),
  };
}

function upgradeWith(wss: WebSocketServer, server: SessionServer) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (new URL(request.url ?? "/", "http://match").pathname !== "/v1/session") {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => acceptSession(server, ws, request.socket.remoteAddress));
  };
}

/** @deadline The end of all sessions when match stops. Their connections are cut. */
const closeDeadline = 1_000;

async function closeAll(wss: WebSocketServer): Promise<void> {
  for (const ws of wss.clients) ws.close(1012, "restarting");
  const cut = setTimeout(() => {
    for (const ws of wss.clients) ws.terminate();
  }, closeDeadline);
  await new Promise<void>((resolve) => wss.close(() => resolve()));
  clearTimeout(cut);
}
