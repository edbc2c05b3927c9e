import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { pipeline } from "node:stream/promises";
import { hopHeaders } from "@ngpu/runtime/hopHeaders";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import type { ForwardFailure, Replica } from "./decide.ts";

export type Timeouts = {
  /** Milliseconds until the container's answer begins. */
  answer: number;
  /** Milliseconds without a byte in either direction, once it has begun. */
  idle: number;
};

export type Outgoing = {
  replica: Replica;
  path: string;
  requestId: string;
  request: IncomingMessage;
  /** The request's whole body; undefined when it is too long to hold and is streamed. */
  body: Buffer | undefined;
  response: ServerResponse;
  timeouts: Timeouts;
};

/** `client_gone`: whoever asked is gone. `answered`: the container's answer went out whole; `cut`: a part of it. */
export type Outcome =
  | { end: "answered" | "cut" | "client_gone" }
  | { end: "failure"; failure: ForwardFailure; reason: string };

/** What is not passed on: `authorization` holds the secret between apiServer and this gateway. */
const excludedHeaders = new Set([...hopHeaders, "authorization"]);

/** What a node says itself, in place of a container, when it surely did not pass the request to one. */
const undelivered = new Set(["lease_unknown"]);

/** Sends one request to one replica and passes its answer on as it comes. Never throws. */
export async function forward(session: ClientHttp2Session, outgoing: Outgoing): Promise<Outcome> {
  const { request, response, replica, body } = outgoing;
  let stream: ClientHttp2Stream;
  try {
    stream = session.request(
      {
        ":method": request.method ?? "GET",
        ":authority": `ws-${replica.workspaceId}`,
        ":path": `/w/${replica.workspaceId}/${replica.replica}/${replica.lease}${outgoing.path}`,
        ...passedOn(request.headers),
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
    const answer = awaitAnswer(stream, outgoing.timeouts.answer);
    if (body === undefined) request.pipe(stream);
    else if (body.length > 0) stream.end(body);
    const outcome = await answer;
    if (response.destroyed) return { end: "client_gone" };
    return outcome.end === "started" ? await passAnswer(stream, outcome.headers, outgoing) : outcome;
  } finally {
    response.off("close", cancel);
    request.unpipe(stream);
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  }
}

type StartedAnswer = { end: "started"; headers: OutgoingHttpHeaders };

async function awaitAnswer(stream: ClientHttp2Stream, deadline: number): Promise<StartedAnswer | Outcome> {
  const settled = Promise.withResolvers<StartedAnswer | Outcome>();
  const fail = (failure: ForwardFailure, reason: string) =>
    settled.resolve({ end: "failure", failure, reason });
  const timer = setTimeout(() => fail("timeout", `no answer within ${deadline} ms`), deadline);
  stream.once("response", (headers) => settled.resolve({ end: "started", headers }));
  stream.on("error", (error) => fail(failureOf(stream), reasonOf(error)));
  stream.once("close", () => fail(failureOf(stream), "closed without an answer"));
  const outcome = await settled.promise;
  clearTimeout(timer);
  return outcome;
}

/** A stream that never left, or that the node's HTTP/2 refused, was not seen by the container. */
function failureOf(stream: ClientHttp2Stream): ForwardFailure {
  return stream.pending || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? "not_delivered" : "broken";
}

async function passAnswer(
  stream: ClientHttp2Stream,
  headers: OutgoingHttpHeaders,
  { replica, requestId, response, timeouts }: Outgoing,
): Promise<Outcome> {
  const nodeError = headers["x-ngpu-error"];
  if (nodeError !== undefined) {
    const failure = undelivered.has(String(nodeError)) ? "not_delivered" : "broken";
    return { end: "failure", failure, reason: String(nodeError) };
  }
  // The answer is the container's: our own app's headers do not belong on it.
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.writeHead(Number(headers[":status"]), {
    ...passedOn(headers),
    [requestIdHeader]: requestId,
    "x-ngpu-node-id": String(replica.nodeId),
    "x-ngpu-replica": String(replica.replica),
    "x-ngpu-lease": String(replica.lease),
  });
  response.flushHeaders();
  stream.setTimeout(timeouts.idle, () => stream.destroy(new Error(`no byte for ${timeouts.idle} ms`)));
  try {
    await pipeline(stream, response, { end: false });
    // A stream that the node cancelled ends like one that is complete; only its code tells them apart.
    if (!stream.closed) await once(stream, "close");
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`cancelled: ${stream.rstCode}`);
    response.end();
    return { end: "answered" };
  } catch {
    const end = response.destroyed ? "client_gone" : "cut";
    // Whoever asked must not take a part for the whole.
    response.destroy();
    return { end };
  }
}

function passedOn(headers: IncomingHttpHeaders | OutgoingHttpHeaders): OutgoingHttpHeaders {
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
