import type { ClientHttp2Session } from "node:http2";
import { parseRoutedPath } from "@ngpu/protocol/nodeRequests";
import { requireBearerToken } from "@ngpu/runtime/bearerToken";
import { InputError, RetryableError } from "@ngpu/runtime/errors";
import { requestIdIn, requestLogger } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { RequestHandler } from "express";
import { type Timeouts, timeoutsIn } from "./deadline.ts";
import type { Replica } from "./decide.ts";
import { forward, type Outcome } from "./forward.ts";

export type NodeRouteDependencies = {
  token: string;
  /** The node that has a replica under its highest lease. */
  placedReplica: (workspaceId: string, replica: number) => Promise<Replica | undefined>;
  sessionOf: (nodeId: number) => ClientHttp2Session | undefined;
  logger: Logger;
  timeouts: Timeouts;
  onEnd: (outcome: string, seconds: number) => void;
};

/**
 * Handles `/<workspaceId>/<replica>/<kind>…`: sends the request to the node that has the replica, which answers it itself. Bodies are
 * streamed in both directions. Mounted at /v1/node.
 */
export function createNodeRouteHandler(deps: NodeRouteDependencies): RequestHandler {
  return async (request, response) => {
    requireBearerToken(request.headers.authorization, deps.token, "GATEWAY_TOKEN");
    const route = parseRoutedPath(request.url);
    if (route === undefined) {
      throw new InputError("The path is not a request to a node.", {
        code: "node_route_invalid",
        hint: "Use /v1/node/<workspaceId>/<replica>/<kind>.",
      });
    }
    const started = performance.now();
    const { workspaceId } = route;
    const replica = await deps.placedReplica(workspaceId, route.replica);
    if (replica === undefined) throw notPlaced(workspaceId, route.replica);
    const session = deps.sessionOf(replica.nodeId);
    if (session === undefined) throw disconnected(replica);
    const { lease } = replica;
    const outcome = await forward(session, {
      replica,
      path: `/n/${workspaceId}/${route.replica}/${lease}${route.path}`,
      requestId: requestIdIn(response),
      request,
      body: undefined,
      response,
      timeouts: timeoutsIn(request.headers, deps.timeouts),
    });
    const name = outcome.end === "failure" ? outcome.failure : outcome.end;
    const duration = performance.now() - started;
    deps.onEnd(name, duration / 1000);
    requestLogger(deps.logger, response).info({
      event: "node_request_routed",
      ...replica,
      outcome: name,
      duration,
    });
    if (outcome.end === "failure") throw failureError(outcome, replica);
  };
}

function notPlaced(workspaceId: string, replica: number): InputError {
  return new InputError(`Replica ${replica} of workspace ${workspaceId} is on no node.`, {
    code: "replica_not_placed",
    hint: "Wait until it is placed; the workspace's reasons say why it is not.",
    status: 409,
    details: { workspaceId, replica },
  });
}

function disconnected({ workspaceId, replica, nodeId }: Replica): RetryableError {
  return new RetryableError(`Node ${nodeId} is not connected.`, {
    code: "node_disconnected",
    hint: "Try again in a few seconds. A node that stays away loses the replica.",
    details: { workspaceId, replica, nodeId },
  });
}

type Failure = Extract<Outcome, { end: "failure" }>;

function failureError(failure: Failure, { workspaceId, replica, nodeId }: Replica): Error {
  const { reason } = failure;
  // Clients send a sentence, older ones a clause.
  const detail = (failure.detail ?? "").replace(/\.$/, "");
  const details = { workspaceId, replica, nodeId };
  const isOld = failure.servesNodeRequests !== true && reason === "lease_not_found";
  if (isOld || reason === "node_request_unknown") {
    return new InputError(`The client of node ${nodeId} is too old for this request.`, {
      code: "node_outdated",
      hint: "Ask the node's operator to update it, or exclude the node and start the replica again.",
      status: 501,
      details,
    });
  }
  if (reason === "node_requests_exceeded") {
    return new InputError(`Node ${nodeId} has too many requests of this kind for the replica: ${detail}.`, {
      code: "node_requests_exceeded",
      hint: "Close one of them.",
      status: 429,
      details,
    });
  }
  if (reason === "container_not_running") {
    return new InputError(`The container of replica ${replica} does not run.`, {
      code: "container_not_running",
      hint: "Wait until it runs; the replica's reason says why it does not.",
      status: 409,
      details,
    });
  }
  if (reason === "exec_not_started") {
    return new InputError(`The command cannot be started: ${detail}.`, {
      code: "exec_not_started",
      hint: "Start the replica first, or correct the command.",
      status: 409,
      details,
    });
  }
  if (reason === "exec_session_unknown") {
    return new InputError(`Node ${nodeId} has no such session for the replica.`, {
      code: "exec_session_unknown",
      hint: "Begin another one.",
      status: 410,
      details,
    });
  }
  if (reason === "exec_output_lost") {
    return new InputError(`The output is not kept: ${detail}.`, {
      code: "exec_output_lost",
      hint: "Attach from a later byte, or acknowledge what arrives.",
      status: 410,
      details,
    });
  }
  if (reason === "node_request_invalid") {
    return new InputError(`The node refuses the request: ${detail}.`, {
      code: "node_request_invalid",
      hint: "Correct the value.",
      details,
    });
  }
  if (reason === "lease_not_found" || failure.failure === "not_delivered") {
    return new RetryableError(`Node ${nodeId} does not have the replica yet, or not any more.`, {
      code: "replica_not_on_node",
      hint: "Try again in a few seconds.",
      details,
    });
  }
  if (reason === "engine_unreachable" || reason === "engine_failed") {
    return new RetryableError(`The Docker engine of node ${nodeId} does not answer.`, {
      code: "node_engine_unreachable",
      hint: "Try again in a few seconds.",
      details,
    });
  }
  return new InputError(`Node ${nodeId} did not answer the request: ${detail || reason}.`, {
    code: "node_request_failed",
    hint: "Try again. If it recurs, report it to the node's operator.",
    status: 502,
    details,
  });
}
