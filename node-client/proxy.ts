import {
  type Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from "node:http";
import type { ServerHttp2Stream, ServerStreamResponseOptions } from "node:http2";
import { pipeline } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { drained } from "@ngpu/runtime/drained";
import { messageOf } from "@ngpu/runtime/errors";
import { forwardedHeaders } from "@ngpu/runtime/hopHeaders";
import { headerLimits } from "@ngpu/runtime/httpLimits";
import type { Logger } from "@ngpu/runtime/logger";
import { requestIdHeader, requestIdOf } from "@ngpu/runtime/requestId";
import { maxInterim, responseError } from "./containerResponse.ts";
import type { LeaseKey } from "./leases.ts";
import type { NodeRequests } from "./nodeRequests.ts";

/** Only the node may set `x-ngpu-error` and `x-ngpu-reason`, not the container. */
const withheld = new Set(["x-ngpu-error", "x-ngpu-reason"]);
const withheldRequest = new Set([...withheld, requestIdHeader]);
const leasePath = /^\/w\/(\d{1,20})\/(\d{1,5})\/(\d{1,10})(\/.*)?$/s;

/** Node would add a `date` of its own; this option is not in its types. */
const asReceived: ServerStreamResponseOptions & { sendDate: boolean } = { sendDate: false };

/** Errors of the node itself, as `x-ngpu-error`. Only after `lease_not_found` the container has not received the request. */
type NodeError = "lease_not_found" | "container_unreachable" | "response_invalid" | "request_invalid";

export type ProxyDeps = {
  /** The host port of a running lease's container. */
  portOf: (lease: LeaseKey) => number | undefined;
  /** Answers the requests that the node itself serves; absent: it serves none. */
  nodeRequests?: NodeRequests | undefined;
  /** Keeps connections to containers; absent: each request has one of its own. */
  agent?: Agent;
  logger: Logger;
};

type RequestHeaders = IncomingHttpHeaders & { ":path"?: string | undefined; ":method"?: string | undefined };

/**
 * Serves one request of the gateway: forwards it to the container of the lease in its path, streaming in both directions.
 * Whatever the container sends ends at most this request. Never throws.
 */
export function proxyStream(
  stream: ServerHttp2Stream,
  headers: RequestHeaders,
  rawHeaders: readonly string[],
  deps: ProxyDeps,
): void {
  stream.on("error", () => stream.destroy());
  const path = headers[":path"] ?? "/";
  if (path === "/healthz") {
    respond(stream, 200);
    return;
  }
  const requestId = requestIdOf(headers[requestIdHeader]);
  if (deps.nodeRequests?.answer(stream, path) === true) {
    logEnd(stream, { lease: path.split("?")[0], logger: deps.logger.child({ requestId }) });
    return;
  }
  const match = leasePath.exec(path);
  const lease: LeaseKey | undefined = match === null ? undefined : `${match[1]}/${match[2]}/${match[3]}`;
  logEnd(stream, { lease, logger: deps.logger.child({ requestId }) });
  const port = lease === undefined ? undefined : deps.portOf(lease);
  if (match === null || port === undefined) {
    fail(stream, "lease_not_found");
    return;
  }
  try {
    const upstream = request({
      host: "127.0.0.1",
      port,
      method: headers[":method"] ?? "GET",
      path: match[4] ?? "/",
      headers: {
        ...forwardedHeaders(rawHeaders, withheldRequest),
        [requestIdHeader]: requestId,
        host: `127.0.0.1:${port}`,
      },
      agent: deps.agent ?? false,
      maxHeaderSize: headerLimits.bytes,
    });
    connectBoth(stream, upstream);
  } catch (error) {
    // HTTP/1.1 cannot carry this method, path or header.
    fail(stream, "request_invalid", messageOf(error));
  }
}

function connectBoth(stream: ServerHttp2Stream, upstream: ClientRequest): void {
  let response: IncomingMessage | undefined;
  // 0: no limit by count, since Node drops further headers silently. The number is checked with the response.
  upstream.maxHeadersCount = 0;
  stream.once("close", () => upstream.destroy());
  upstream.on("error", (error: NodeJS.ErrnoException) => {
    // A response that has arrived completely is passed on, whatever happens to its connection afterwards.
    if (response?.complete === true) return;
    if (response === undefined && error.code?.startsWith("HPE_") === true) {
      fail(stream, "response_invalid", messageOf(error));
    } else fail(stream, "container_unreachable", messageOf(error));
  });
  let interim = 0;
  upstream.on("information", () => {
    interim += 1;
    if (interim <= maxInterim) return;
    fail(stream, "response_invalid", `it sends more than ${maxInterim} interim responses`);
    upstream.destroy();
  });
  upstream.once("upgrade", (_response, socket) => {
    socket.destroy();
    fail(stream, "response_invalid", "it switches protocols");
  });
  upstream.once("connect", (_response, socket) => {
    socket.destroy();
    fail(stream, "request_invalid", "CONNECT is not served");
  });
  upstream.once("response", (incoming) => {
    response = incoming;
    forwardResponse(stream, incoming);
  });
  upstream.once("close", () => {
    if (response === undefined) fail(stream, "container_unreachable", "closed without a response");
  });
  void upload(stream, upstream, () => (response?.statusCode ?? 0) >= 400);
}

/**
 * Sends the request's body to the container, with back-pressure. A container that refuses a request closes its connection while
 * the body is still being sent. So what it has answered is read before each part, and after a refusal the rest is discarded.
 */
async function upload(
  stream: ServerHttp2Stream,
  upstream: ClientRequest,
  isRefused: () => boolean,
): Promise<void> {
  try {
    for await (const part of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      await setImmediate();
      if (upstream.destroyed || isRefused()) break;
      if (!upstream.write(part)) await drained(upstream);
    }
    if (!upstream.destroyed && !isRefused()) upstream.end();
    stream.resume();
  } catch {
    // The gateway has cancelled the request, or the connection has failed: its own event reports it.
    if (stream.aborted || stream.destroyed) upstream.destroy();
  }
}

/** Passes a response on. A part of one ends the stream with an error, which no reader can take for its end. */
function forwardResponse(stream: ServerHttp2Stream, response: IncomingMessage): void {
  response.on("error", (error) => stream.destroy(error));
  const invalid = responseError(response);
  if (invalid !== undefined) {
    response.destroy();
    fail(stream, "response_invalid", invalid);
    return;
  }
  const status = response.statusCode ?? 0;
  const hasNoBody = status === 204 || status === 205;
  const excluded = hasNoBody ? new Set([...withheld, "content-length"]) : withheld;
  try {
    stream.respond({ ":status": status, ...forwardedHeaders(response.rawHeaders, excluded) }, asReceived);
  } catch (error) {
    response.destroy();
    fail(stream, "response_invalid", messageOf(error));
    return;
  }
  if (hasNoBody || stream.writableEnded) response.resume();
  else pipeline(response, stream, () => undefined);
}

/** Ends a request with an error of the node. After the response has begun it is cut. */
function fail(stream: ServerHttp2Stream, error: NodeError, reason?: string): void {
  if (stream.destroyed) return;
  if (stream.headersSent) {
    stream.destroy(new Error(error));
    return;
  }
  respond(stream, error === "lease_not_found" ? 404 : 502, {
    "x-ngpu-error": error,
    ...(reason !== undefined && { "x-ngpu-reason": reason.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 200) }),
  });
}

function respond(stream: ServerHttp2Stream, status: number, headers: Record<string, string> = {}): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ":status": status, ...headers });
  stream.end();
  // The request's body is read to its end, or the gateway could not send it completely.
  stream.resume();
}

function logEnd(stream: ServerHttp2Stream, { lease, logger }: { lease: string | undefined; logger: Logger }) {
  const started = performance.now();
  stream.once("close", () => {
    const { ":status": status, "x-ngpu-error": error } = stream.sentHeaders ?? {};
    const duration = performance.now() - started;
    logger.info({ event: "request_served", lease, status, code: error, cut: stream.rstCode !== 0, duration });
  });
}
