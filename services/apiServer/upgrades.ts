import { type IncomingMessage, type RequestListener, type Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { execLimits, execProtocol } from "@ngpu/protocol/exec";
import type { Response } from "express";
import { type WebSocket, WebSocketServer } from "ws";

type Upgrade = { socket: Duplex; head: Buffer };

/** The connections of requests for a WebSocket. */
const upgrades = new WeakMap<IncomingMessage, Upgrade>();

const webSocketPath = /^\/v1\/workspaces\/[^/?]+\/exec\/[^/?]+\/attach(\?|$)/;

/** Whether a request is one for a WebSocket of an endpoint. Any other `upgrade` header changes nothing. */
export function isForWebSocket({ url = "", method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket" && webSocketPath.test(url);
}

/** Serves requests for a WebSocket by the same app as all others, so that the same checks and limits apply. */
export function serveUpgrades(server: Server, app: RequestListener): Server {
  // After an upgrade that is declined, Node does not report a malformed request on the same connection.
  server.prependListener("request", (request, response) => {
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    upgrades.set(request, { socket, head });
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as never);
    // A refusal is an ordinary response, after which the connection is closed.
    response.once("finish", () => {
      response.detachSocket(socket as never);
      socket.end();
      response.emit("close");
    });
    socket.once("close", () => {
      if (!response.writableFinished) response.emit("close");
    });
    app(request, response as never);
  });
  return server;
}

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: execLimits.message,
  // The key of a browser is never sent back.
  handleProtocols: (offered) => offered.has(execProtocol) && execProtocol,
});

/** Turns a request into a WebSocket; undefined: it is not one for a WebSocket. */
export async function upgrade(request: IncomingMessage, response: Response): Promise<WebSocket | undefined> {
  const found = upgrades.get(request);
  if (found === undefined) return undefined;
  const { socket, head } = found;
  response.statusCode = 101;
  response.detachSocket(socket as never);
  const opened = Promise.withResolvers<WebSocket | undefined>();
  socket.once("close", () => opened.resolve(undefined));
  sockets.handleUpgrade(request, socket, head, opened.resolve);
  return opened.promise;
}

/** Whether a request can become a WebSocket. */
export const isUpgradable = (request: IncomingMessage) => upgrades.has(request);
