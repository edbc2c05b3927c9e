import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { type WebSocket, WebSocketServer } from "ws";
import { kindOf, parseCalls, refuse } from "./calls.ts";
import type { Keeper } from "./keeper.ts";
import { createSocketSession } from "./socket.ts";

const MAX_BODY = 32 * 1024 * 1024;

/** Serves the keeper's chain as JSON-RPC over HTTP and WebSocket on 127.0.0.1. */
export async function serveKeeper(keeper: Keeper, port: number): Promise<{ stop: () => Promise<void> }> {
  const server = createServer((request, response) => void serve(keeper, request, response));
  const sockets = new WebSocketServer({ server, maxPayload: MAX_BODY });
  sockets.on("connection", (socket: WebSocket) => createSocketSession(keeper, socket));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(keeper: Keeper, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const body = await text(request);
    response.setHeader("content-type", "application/json");
    response.end(await reply(keeper, body));
  } catch {
    // Clients of a chain retry after this status.
    if (!response.headersSent) response.writeHead(503, { "content-type": "text/plain" });
    response.end("The chain is restarting.");
  }
}

async function reply(keeper: Keeper, body: string): Promise<string> {
  const parsed = parseCalls(body);
  if (parsed === undefined) return JSON.stringify(refuse({}, -32600, "This is not a JSON-RPC request."));
  const { calls, isBatch } = parsed;
  if (calls.every(({ method }) => kindOf(method) === "read")) return keeper.read(body);
  const answers = [];
  for (const call of calls) answers.push(await keeper.handle(call));
  return JSON.stringify(isBatch ? answers : answers[0]);
}
