import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { abortOnClose, RequestError, readBytes, sendJson } from "../shared/http.ts";
import { log } from "../shared/log.ts";
import { type Connections, codeOf, createConnections, downloadSeed } from "./connections.ts";
import { measureDisk } from "./disk.ts";
import type { ProbeConfig } from "./env.ts";
import { sendBytes, takeBytes } from "./transfer.ts";
import { createWaveParts, limitOf } from "./waveParts.ts";

type Call = {
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
  /** The key that binds the answer to its connection; undefined where no challenge came before it. */
  key: Buffer | undefined;
};
type Route = (call: Call) => Promise<void>;

/**
 * The probe's endpoints. All except /healthz require `Authorization: Bearer <PROBE_TOKEN>`. Transfers and disk tests are
 * limited in number, bytes and time, so that a caller with the token cannot exhaust the machine.
 */
export function probeHandler(config: ProbeConfig): RequestListener {
  const connections = createConnections(config.secret);
  const routes = routesOf(config, connections);
  const parts = createWaveParts();
  return (request, response) => {
    const started = performance.now();
    const url = new URL(request.url ?? "/", "http://probe");
    // At the deadline the socket is destroyed without a response, which could block on the same peer.
    const deadline = setTimeout(() => request.socket.destroy(), config.maxMs);
    answer({ config, routes, connections, parts }, request, response, url)
      .catch((error: Error) => fail(request, response, url.pathname, error))
      .finally(() => {
        clearTimeout(deadline);
        const duration = Math.round(performance.now() - started);
        if (url.pathname !== "/healthz")
          log("request", { path: url.pathname, status: response.statusCode, duration });
      });
  };
}

type Served = {
  config: ProbeConfig;
  routes: Record<string, Route>;
  connections: Connections;
  parts: ReturnType<typeof createWaveParts>;
};

async function answer(
  { config, routes, connections, parts }: Served,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  if (url.pathname === "/healthz" && request.method === "GET") return sendJson(response, 200, { ok: true });
  const isPut = request.method === "PUT" && config.driver !== undefined;
  requireToken(request, isPut ? config.driver : config.token);
  if (isPut) return putPart(parts, request, response, url.pathname);
  if (request.method === "GET" && url.pathname.startsWith("/wave/"))
    return sendPart(parts, response, url.pathname);
  const name = `${request.method} ${url.pathname}`;
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
  if (!route) {
    throw new RequestError(
      404,
      "endpoint_not_found",
      `There is no endpoint ${name}.`,
      `Use one of: ${Object.keys(routes).join(", ")}.`,
    );
  }
  await route({ request, response, query: url.searchParams, key: connections.take(request.socket) });
}

/** The node client answers for a device. */
async function putPart(
  parts: Served["parts"],
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  parts.put(path, await readBytes(request, limitOf(path)));
  sendJson(response, 200, { ok: true });
}

/** A measurer reads an answer. It waits for one that is not there yet, until the request's time is over. */
async function sendPart(parts: Served["parts"], response: ServerResponse, path: string): Promise<void> {
  const bytes = await parts.get(path, abortOnClose(response));
  if (bytes === undefined) return;
  response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": bytes.length });
  response.end(bytes);
}

function requireToken(request: IncomingMessage, token: string | undefined): void {
  if (token !== undefined && isAuthorized(request, token)) return;
  throw new RequestError(
    401,
    "token_invalid",
    "The probe's token is missing or invalid.",
    "Send the token of the measurement's order as Authorization: Bearer.",
  );
}

function routesOf(config: ProbeConfig, connections: Connections): Record<string, Route> {
  const { maxBytes, maxDiskMib, dataDir } = config;
  const transfers = gate(config.maxTransfers);
  const disk = gate(1);
  return {
    "GET /challenge": async ({ request, response, query }) => {
      const nonce = query.get("nonce") ?? "";
      if (!/^[\x21-\x7e]{1,256}$/.test(nonce)) {
        throw new RequestError(
          400,
          "request_invalid",
          "nonce must be 1 to 256 printable characters.",
          "Send another nonce.",
          "nonce",
        );
      }
      sendJson(response, 200, { nonce, hmac: connections.challenge(request.socket, nonce) });
    },
    "GET /download": async ({ response, query, key }) => {
      const bytes = wholeNumber(query, "bytes", maxBytes);
      const seed = key === undefined ? {} : { seed: downloadSeed(key) };
      await transfers(() => sendBytes(response, { bytes, ...seed, signal: abortOnClose(response) }));
    },
    "POST /upload": async ({ request, response, key }) => {
      sendBound(response, key, await transfers(() => takeBytes(request, maxBytes)));
    },
    "POST /disk": async ({ request, response, query, key }) => {
      const mib = wholeNumber(query, "mib", maxDiskMib);
      request.resume();
      const signal = abortOnClose(response);
      sendBound(response, key, await disk(() => measureDisk({ dir: dataDir, mib, signal })));
    },
  };
}

function sendBound(response: ServerResponse, key: Buffer | undefined, body: unknown): void {
  if (key !== undefined) response.setHeader("x-probe-code", codeOf(key, JSON.stringify(body)));
  sendJson(response, 200, body);
}

/** Compares digests of equal length in constant time, so that the time reveals nothing about the token. */
function isAuthorized(request: IncomingMessage, token: string): boolean {
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}

function wholeNumber(query: URLSearchParams, name: string, max: number): number {
  const text = query.get(name) ?? "";
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value >= 1 && value <= max) return value;
  throw new RequestError(
    400,
    "request_invalid",
    `${name} must be a whole number from 1 to ${max}.`,
    `Set the query parameter ${name} within these bounds.`,
    name,
  );
}

/** Runs at most `places` calls concurrently and rejects more: a queued measurement would measure the queue. */
function gate(places: number) {
  let taken = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (taken >= places)
      throw new RequestError(503, "probe_busy", "Other measurements are running.", "Try again in a second.");
    taken += 1;
    try {
      return await work();
    } finally {
      taken -= 1;
    }
  };
}

const failed = {
  status: 500,
  code: "internal_error",
  message: "The probe failed.",
  hint: "Try again. The container's log has the reason.",
};

function fail(request: IncomingMessage, response: ServerResponse, path: string, error: Error): void {
  const known = error instanceof RequestError;
  if (!known && !response.destroyed) log("failed", { path, error: error.message });
  if (response.headersSent || response.destroyed) return void response.destroy();
  if (known && error.status === 503) response.setHeader("Retry-After", "1");
  // Otherwise the unread body would be parsed as the next request.
  if (!request.complete) response.setHeader("Connection", "close");
  const { status, code, message, hint } = known ? error : failed;
  sendJson(response, status, { error: { code, message, hint } });
}
