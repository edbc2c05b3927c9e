import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { pipeline } from "node:stream/promises";
import { hopHeaders } from "@ngpu/runtime/hopHeaders";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import type { ForwardFailure, Replica } from "./decide.ts";

export type Timeouts = {
  /** Milliseconds until the container's response begins. */
  answer: number;
  /** Milliseconds without a byte in either direction after it has begun. */
  idle: number;
};

export type Outgoing = {
  replica: Replica;
  path: string;
  requestId: string;
  request: IncomingMessage;
  /** The buffered body; undefined when it is too large and is streamed. */
  body: Buffer | undefined;
  response: ServerResponse;
  timeouts: Timeouts;
};

/** `answered`: the complete response was sent. `cut`: only a part of it. `client_gone`: the client disconnected. */
export type Outcome =
  | { end: "answered" | "cut" | "client_gone" }
  | { end: "failure"; failure: ForwardFailure; reason: string };

/** Headers that are not forwarded: `authorization` is the secret shared by apiServer and the gateway. */
const excludedHeaders = new Set([...hopHeaders, "authorization"]);

/** Error codes of a node that did not pass the request to a container. */
const undelivered = new Set(["lease_unknown"]);

/** Sends a request to one replica and streams the response to the client. Never throws. */
export async function forward(session: ClientHttp2Session, outgoing: Outgoing): Promise<Outcome> {
  const { request, response, replica, body } = outgoing;
  let stream: ClientHttp2Stream;
  try {
    stream = session.request(
      {
        ":method": request.method ?? "GET",
        ":authority": `ws-${replica.workspaceId}`,
        ":path": `/w/${replica.workspaceId}/${replica.replica}/${replica.lease}${outgoing.path}`,
        ...forwardedHeaders(request.headers),
        [requestIdHeader]: outgoing.requestId,
      },
      { endStream: body?.length === 0 },
    );
  } catch (error) {
    return { end: "failure", failure: "not_delivered", reason: reasonOf(error) };
  }
  const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
  response.once("close", cancel);
  try {
    const started = awaitResponse(stream, outgoing.timeouts.answer);
    if (body === undefined) request.pipe(stream);
    else if (body.length > 0) stream.end(body);
    const outcome = await started;
    if (response.destroyed) return { end: "client_gone" };
    return outcome.end === "started" ? await passResponse(stream, outcome.headers, outgoing) : outcome;
  } finally {
    response.off("close", cancel);
    request.unpipe(stream);
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  }
}

type StartedResponse = { end: "started"; headers: OutgoingHttpHeaders };

async function awaitResponse(
  stream: ClientHttp2Stream,
  deadline: number,
): Promise<StartedResponse | Outcome> {
  const settled = Promise.withResolvers<StartedResponse | Outcome>();
  const fail = (failure: ForwardFailure, reason: string) =>
    settled.resolve({ end: "failure", failure, reason });
  const timer = setTimeout(() => fail("timeout", `no response within ${deadline} ms`), deadline);
  stream.once("response", (headers) => settled.resolve({ end: "started", headers }));
  stream.on("error", (error) => fail(failureOf(stream), reasonOf(error)));
  stream.once("close", () => fail(failureOf(stream), "closed without a response"));
  const outcome = await settled.promise;
  clearTimeout(timer);
  return outcome;
}

/** The container did not receive a stream that was never sent or that the node's HTTP/2 refused. */
function failureOf(stream: ClientHttp2Stream): ForwardFailure {
  return stream.pending || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? "not_delivered" : "broken";
}

async function passResponse(
  stream: ClientHttp2Stream,
  headers: OutgoingHttpHeaders,
  { replica, requestId, response, timeouts }: Outgoing,
): Promise<Outcome> {
  const nodeError = headers["x-ngpu-error"];
  if (nodeError !== undefined) {
    const failure = undelivered.has(String(nodeError)) ? "not_delivered" : "broken";
    return { end: "failure", failure, reason: String(nodeError) };
  }
  // The response is the container's, without the headers of our own app.
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.writeHead(Number(headers[":status"]), {
    ...forwardedHeaders(headers),
    [requestIdHeader]: requestId,
    "x-ngpu-node-id": String(replica.nodeId),
    "x-ngpu-replica": String(replica.replica),
    "x-ngpu-lease": String(replica.lease),
  });
  response.flushHeaders();
  stream.setTimeout(timeouts.idle, () => stream.destroy(new Error(`no byte for ${timeouts.idle} ms`)));
  try {
    await pipeline(stream, response, { end: false });
    // A cancelled stream ends like a complete one; only its code differs.
    if (!stream.closed) await once(stream, "close");
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`cancelled: ${stream.rstCode}`);
    response.end();
    return { end: "answered" };
  } catch {
    const end = response.destroyed ? "client_gone" : "cut";
    // The client must not mistake a partial response for a complete one.
    response.destroy();
    return { end };
  }
}

function forwardedHeaders(headers: IncomingHttpHeaders | OutgoingHttpHeaders): OutgoingHttpHeaders {
  const named = String(headers.connection ?? "").toLowerCase();
  const dropped = new Set(named.split(",").map((name) => name.trim()));
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !name.startsWith(":") && !excludedHeaders.has(name) && !dropped.has(name),
    ),
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
