import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import { hopHeaders } from "@ngpu/runtime/hopHeaders";
import type { Logger } from "@ngpu/runtime/logger";
import { requestIdHeader, requestIdOf } from "@ngpu/runtime/requestId";
import type { LeaseKey } from "./leases.ts";

/** Headers that are not forwarded. Only the node may set `x-ngpu-error`, not the container. */
const excludedHeaders = new Set([...hopHeaders, "x-ngpu-error"]);
const leasePath = /^\/w\/(\d{1,20})\/(\d{1,5})\/(\d{1,10})(\/.*)?$/s;

export type ProxyDeps = {
  /** The host port of a running lease's container. */
  portOf: (lease: LeaseKey) => number | undefined;
  logger: Logger;
};

type RequestHeaders = IncomingHttpHeaders & { ":path"?: string | undefined; ":method"?: string | undefined };

/** Serves one request of the gateway: forwards it to the container of the lease in its path, streaming in both directions. */
export function proxyStream(stream: ServerHttp2Stream, headers: RequestHeaders, deps: ProxyDeps): void {
  stream.on("error", () => stream.destroy());
  const path = headers[":path"] ?? "/";
  if (path === "/healthz") {
    respond(stream, 200, undefined);
    return;
  }
  const requestId = requestIdOf(headers[requestIdHeader]);
  const match = leasePath.exec(path);
  const lease: LeaseKey | undefined = match === null ? undefined : `${match[1]}/${match[2]}/${match[3]}`;
  logEnd(stream, { lease, logger: deps.logger.child({ requestId }) });
  const port = lease === undefined ? undefined : deps.portOf(lease);
  if (match === null || port === undefined) {
    respond(stream, 404, "lease_unknown");
    return;
  }
  const upstream = request({
    host: "127.0.0.1",
    port,
    method: headers[":method"] ?? "GET",
    path: match[4] ?? "/",
    headers: { ...forwardedHeaders(headers), [requestIdHeader]: requestId, host: `127.0.0.1:${port}` },
    agent: false,
  });
  stream.once("close", () => upstream.destroy());
  upstream.once("error", () => {
    if (!stream.headersSent) respond(stream, 502, "container_unreachable");
    else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  });
  upstream.once("response", (response) => forwardResponse(stream, response));
  stream.pipe(upstream);
}

function logEnd(stream: ServerHttp2Stream, { lease, logger }: { lease: string | undefined; logger: Logger }) {
  const started = performance.now();
  stream.once("close", () => {
    const { ":status": status, "x-ngpu-error": error } = stream.sentHeaders ?? {};
    const duration = performance.now() - started;
    logger.info({ event: "request_served", lease, status, code: error, cut: stream.rstCode !== 0, duration });
  });
}

function forwardResponse(stream: ServerHttp2Stream, response: IncomingMessage): void {
  if (stream.destroyed) {
    response.destroy();
    return;
  }
  stream.respond({ ":status": response.statusCode ?? 502, ...forwardedHeaders(response.headers) });
  // A response that breaks off must not look complete.
  response.once("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  response.pipe(stream);
}

function respond(stream: ServerHttp2Stream, status: number, error: string | undefined): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ":status": status, ...(error !== undefined && { "x-ngpu-error": error }) });
  stream.end();
}

function forwardedHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const hopByHop = new Set(
    (headers.connection ?? "")
      .toLowerCase()
      .split(",")
      .map((name) => name.trim()),
  );
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !name.startsWith(":") && !excludedHeaders.has(name) && !hopByHop.has(name),
    ),
  );
}
