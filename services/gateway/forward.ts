import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { pipeline } from "node:stream/promises";
import { nodeKindsHeader } from "@ngpu/protocol/nodeRequests";
import { messageOf } from "@ngpu/runtime/errors";
import { flushHead } from "@ngpu/runtime/flushHead";
import { forwardedHeaders } from "@ngpu/runtime/hopHeaders";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import { type Deadline, startDeadline, type Timeouts } from "./deadline.ts";
import type { ForwardFailure, Replica } from "./decide.ts";

export type Outgoing = {
  replica: Replica;
  /** Path in the tunnel. */
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
  | {
      end: "failure";
      failure: ForwardFailure;
      reason: string;
      detail?: string;
      /** The node serves requests of its own, so it is not older than they are. */
      servesNodeRequests?: boolean;
    };

/** Headers that are not forwarded: `authorization` is the secret shared by apiServer and the gateway. */
const excludedRequest = new Set(["authorization", requestIdHeader, "x-ngpu-timeout", "x-ngpu-total-timeout"]);
const excludedResponse = new Set([
  requestIdHeader,
  "x-ngpu-node-id",
  "x-ngpu-replica",
  "x-ngpu-lease",
  "x-ngpu-error",
  "x-ngpu-reason",
  nodeKindsHeader,
]);

/** Error codes of a node that did not pass the request to a container. */
const undelivered = new Set(["lease_not_found"]);

/** Sends a request to one replica and streams the response to the client. Never throws. */
export async function forward(session: ClientHttp2Session, outgoing: Outgoing): Promise<Outcome> {
  const { request, response, replica, body } = outgoing;
  if (isGone(response)) return { end: "client_gone" };
  let stream: ClientHttp2Stream;
  try {
    stream = session.request(
      {
        ...forwardedHeaders(request.rawHeaders, excludedRequest),
        ":method": request.method ?? "GET",
        ":authority": `ws-${replica.workspaceId}`,
        ":path": outgoing.path,
        [requestIdHeader]: outgoing.requestId,
      },
      { endStream: body?.length === 0 },
    );
  } catch (error) {
    return { end: "failure", failure: "not_delivered", reason: reasonOf(error) };
  }
  const deadline = startDeadline(stream, outgoing.timeouts);
  const cancel = () => destroy(stream, "the client disconnected");
  response.once("close", cancel);
  try {
    const started = awaitResponse(stream, deadline);
    if (body === undefined) request.pipe(stream);
    else if (body.length > 0) stream.end(body);
    const outcome = await started;
    if (isGone(response)) return { end: "client_gone" };
    return outcome.end === "started" ? await passResponse(stream, outcome, outgoing) : outcome;
  } finally {
    deadline.stop();
    response.off("close", cancel);
    request.unpipe(stream);
    // The rest of an unread body is discarded, so that the connection can carry the next request.
    if (!isGone(response)) request.resume();
    if (!stream.closed) destroy(stream, "the request has ended");
  }
}

/**
 * Ends a stream at once. `close` would first end it as if its body were complete, so a container could take a part of a
 * request for the whole.
 */
function destroy(stream: ClientHttp2Stream, reason: string): void {
  if (!stream.destroyed) stream.destroy(new Error(reason));
}

const isGone = (response: ServerResponse) => response.destroyed || response.socket?.destroyed === true;

type StartedResponse = { end: "started"; status: number; error: string | undefined; raw: readonly string[] };

async function awaitResponse(
  stream: ClientHttp2Stream,
  deadline: Deadline,
): Promise<StartedResponse | Outcome> {
  const settled = Promise.withResolvers<StartedResponse | Outcome>();
  const fail = (failure: ForwardFailure, reason: string) =>
    settled.resolve({ end: "failure", failure, reason });
  stream.once("response", (headers, _flags, raw) => {
    const error = headers["x-ngpu-error"];
    settled.resolve({
      end: "started",
      status: Number(headers[":status"]),
      error: error === undefined ? undefined : String(error),
      raw: raw as readonly string[],
    });
  });
  stream.on("error", (error) => {
    if (deadline.passed !== undefined) fail("timeout", deadline.passed);
    else fail(failureOf(stream), reasonOf(error));
  });
  stream.once("close", () => fail(failureOf(stream), "closed without a response"));
  return settled.promise;
}

/** The container did not receive a stream that was never sent or that the node's HTTP/2 refused. */
function failureOf(stream: ClientHttp2Stream): ForwardFailure {
  return stream.pending || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? "not_delivered" : "broken";
}

async function passResponse(
  stream: ClientHttp2Stream,
  { status, error, raw }: StartedResponse,
  { replica, requestId, response }: Outgoing,
): Promise<Outcome> {
  if (error !== undefined) {
    const failure = undelivered.has(error) ? "not_delivered" : "broken";
    const servesNodeRequests = headerIn(raw, nodeKindsHeader) !== undefined;
    return {
      end: "failure",
      failure,
      reason: error,
      detail: headerIn(raw, "x-ngpu-reason") ?? "",
      servesNodeRequests,
    };
  }
  try {
    if (status < 200 || status > 599) throw new Error(`its status is ${status}, not 200 to 599`);
    // The response is the container's, without the headers of our own app.
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.sendDate = false;
    response.writeHead(status, {
      ...forwardedHeaders(raw, excludedResponse),
      [requestIdHeader]: requestId,
      "x-ngpu-node-id": String(replica.nodeId),
      "x-ngpu-replica": String(replica.replica),
      "x-ngpu-lease": String(replica.lease),
    });
    flushHead(response);
  } catch (refused) {
    return { end: "failure", failure: "broken", reason: "response_invalid", detail: messageOf(refused) };
  }
  try {
    await pipeline(stream, response, { end: false });
    // A cancelled stream ends like a complete one; only its code differs. A complete response may precede the end of the
    // request's body, which is then not needed any more.
    if (!stream.closed && stream.writableFinished) await once(stream, "close");
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`cancelled: ${stream.rstCode}`);
    response.end();
    return { end: "answered" };
  } catch {
    const end = isGone(response) ? "client_gone" : "cut";
    // The client must not mistake a partial response for a complete one.
    response.destroy();
    return { end };
  }
}

function headerIn(raw: readonly string[], wanted: string): string | undefined {
  const index = raw.findIndex((name, at) => at % 2 === 0 && name === wanted);
  return index === -1 ? undefined : String(raw[index + 1]);
}

/** Path of a task in the tunnel. */
export const taskPath = ({ workspaceId, replica, lease }: Replica, path: string) =>
  `/w/${workspaceId}/${replica}/${lease}${path}`;

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
