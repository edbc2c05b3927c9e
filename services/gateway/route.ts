import type { IncomingMessage } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import { buffer } from "node:stream/consumers";
import { requireBearerToken } from "@ngpu/runtime/bearerToken";
import { InputError, RetryableError } from "@ngpu/runtime/errors";
import { requestIdIn, requestLogger } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { Response } from "express";
import { type Timeouts, timeoutsIn } from "./deadline.ts";
import { mayTryNext, parseRoute, type Replica, rankReplicas } from "./decide.ts";
import { forward, type Outcome, taskPath } from "./forward.ts";
import { prefixesOf } from "./routing/prefix.ts";
import { type Asked, hashOf, type Router } from "./routing/router.ts";

export type RouteDependencies = {
  token: string;
  /** The running replicas of a workspace. */
  replicasOf: (workspaceId: string) => Replica[];
  /** HTTP/2 session of the node's open tunnel. */
  sessionOf: (nodeId: number) => ClientHttp2Session | undefined;
  router: Router<Replica>;
  logger: Logger;
  timeouts: Timeouts;
  onEnd: (outcome: string, seconds: number) => void;
};

/** Requests with the same value go to the same replica, as long as it is not too busy. */
const sessionHeader = "x-ngpu-session";

/** Bodies up to this length are buffered, so that another replica can be tried. */
const bufferedBytes = 1 << 20;

/** Handles `<any method> /<workspaceId>/<path>`: sends the request to the best running replica. Below /v1/route. */
export function createRouteHandler(
  deps: RouteDependencies,
): (request: IncomingMessage, response: Response) => Promise<void> {
  return async (request, response) => {
    requireBearerToken(request.headers.authorization, deps.token, "GATEWAY_TOKEN");
    const route = parseRoute(request.url ?? "");
    if (route === undefined) {
      throw new InputError("The path is not a route to a workspace.", {
        code: "route_invalid",
        hint: "Use /v1/route/<workspaceId>/<path> without dot segments.",
      });
    }
    const started = performance.now();
    const logger = requestLogger(deps.logger, response);
    const outcome = await tryReplicas({ ...deps, logger }, request, response, route);
    const name =
      outcome === undefined
        ? "replica_unavailable"
        : outcome.end === "failure"
          ? outcome.failure
          : outcome.end;
    const duration = performance.now() - started;
    deps.onEnd(name, duration / 1000);
    logger.info({ event: "request_routed", workspaceId: route.workspaceId, outcome: name, duration });
    if (outcome === undefined) throw noReplica(deps, route.workspaceId);
    if (outcome.end === "failure") throw failureError(outcome, route.workspaceId);
  };
}

async function tryReplicas(
  deps: RouteDependencies,
  request: IncomingMessage,
  response: Response,
  route: { workspaceId: string; path: string },
): Promise<Outcome | undefined> {
  const buffered = await bufferBody(request);
  if ("end" in buffered) return buffered;
  const { body } = buffered;
  const tried = new Set<Replica>();
  const timeouts = timeoutsIn(request.headers, deps.timeouts);
  const common = { requestId: requestIdIn(response), request, body, response, timeouts };
  const asked = askedOf(deps.replicasOf(route.workspaceId).length, request, body);
  let last: Outcome | undefined;
  for (;;) {
    const untried = deps.replicasOf(route.workspaceId).filter((replica) => !tried.has(replica));
    const live = rankReplicas(untried, (one) => ({
      live: deps.sessionOf(one.nodeId) !== undefined,
      ...deps.router.loadOf(one),
    }));
    const [replica] = deps.router.rank(live, asked);
    const session = replica && deps.sessionOf(replica.nodeId);
    if (replica === undefined || session === undefined) return last;
    tried.add(replica);
    const done = deps.router.begin(replica, asked);
    last = await forward(session, { ...common, replica, path: taskPath(replica, route.path) });
    done(experienceOf(last));
    if (last.end !== "failure") return last;
    deps.logger.warn({ event: "replica_failed", ...replica, failure: last.failure, reason: last.reason });
    const facts = {
      failure: last.failure,
      method: request.method ?? "GET",
      bodyBuffered: body !== undefined,
    };
    if (!mayTryNext(facts)) return last;
  }
}

const nothing: Asked = { prefixes: [], session: undefined };

/** What a request says about itself; one replica needs no choice. */
function askedOf(replicas: number, { headers }: IncomingMessage, body: Buffer | undefined): Asked {
  if (replicas < 2) return nothing;
  const session = headers[sessionHeader];
  return {
    prefixes: body === undefined ? [] : prefixesOf(body),
    session: session === undefined || session === "" ? undefined : hashOf(String(session)),
  };
}

/** What the outcome of a request says about its replica. A client that has left, and a deadline of its own, say nothing. */
function experienceOf(outcome: Outcome): "answered" | "failed" | "unknown" {
  if (outcome.end === "answered") return "answered";
  if (outcome.end === "cut") return "failed";
  return outcome.end === "failure" && outcome.failure !== "timeout" ? "failed" : "unknown";
}

/** `body` is undefined when it is streamed. */
async function bufferBody(request: IncomingMessage): Promise<{ body: Buffer | undefined } | Outcome> {
  if (request.headers["transfer-encoding"] !== undefined) return { body: undefined };
  if (Number(request.headers["content-length"] ?? 0) > bufferedBytes) return { body: undefined };
  try {
    return { body: await buffer(request) };
  } catch {
    // Only the end of its connection ends a body early.
    return { end: "client_gone" };
  }
}

function noReplica(deps: RouteDependencies, workspaceId: string): RetryableError {
  const running = deps.replicasOf(workspaceId).length;
  return new RetryableError(
    running === 0
      ? `No replica of workspace ${workspaceId} is running.`
      : `No node that runs workspace ${workspaceId} is connected.`,
    { code: "replica_unavailable", hint: "Try again in a few seconds.", details: { workspaceId, running } },
  );
}

function failureError(outcome: Extract<Outcome, { end: "failure" }>, workspaceId: string): Error {
  const details = { workspaceId, reason: outcome.reason };
  if (outcome.failure === "not_delivered") {
    return new RetryableError(`No replica of workspace ${workspaceId} accepted the request.`, {
      code: "replica_unavailable",
      hint: "Try again in a few seconds.",
      details,
    });
  }
  if (outcome.failure === "timeout") {
    return new InputError(`The workspace did not answer in time: ${outcome.reason}.`, {
      code: "replica_timeout",
      hint: "Send a request that the workspace answers sooner. It may still be running.",
      status: 504,
      details,
    });
  }
  if (outcome.reason === "response_invalid") {
    return new InputError(`The container's response cannot be passed on: ${outcome.detail}.`, {
      code: "response_invalid",
      hint: "Correct the workspace's program: it must send a valid HTTP response. The request has run.",
      status: 502,
      details,
    });
  }
  const message =
    outcome.reason === "container_unreachable"
      ? `The container ended the connection before it responded: ${outcome.detail}.`
      : "The connection to the workspace's node ended before it responded.";
  return new InputError(message, {
    code: "replica_connection_lost",
    hint: "The request may have run. Send it again if it is safe to run twice.",
    status: 502,
    details,
  });
}
