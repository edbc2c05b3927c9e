import type { ClientHttp2Session } from "node:http2";
import { parseRoutedPath } from "@ngpu/protocol/nodeRequests";
import { requireBearerToken } from "@ngpu/runtime/bearerToken";
import { InputError, RetryableError } from "@ngpu/runtime/errors";
import { requestIdIn, requestLogger } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { RequestHandler } from "express";
import { type Timeouts, timeoutsIn } from "./deadline.ts";
import type { Replica } from "./decide.ts";
import { forward } from "./forward.ts";
import { failureError } from "./nodeFailures.ts";

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
