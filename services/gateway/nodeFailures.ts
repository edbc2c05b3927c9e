import { InputError, RetryableError } from "@ngpu/runtime/errors";
import type { Replica } from "./decide.ts";
import type { Outcome } from "./forward.ts";

type Failure = Extract<Outcome, { end: "failure" }>;
/** What an error names: the replica and its node, and the node's sentence without its full stop. */
type Facts = { nodeId: number; replica: number; detail: string; details: Record<string, unknown> };

/** The errors of the reasons that a node gives. */
const byReason: Record<string, (facts: Facts) => Error> = {
  node_request_unknown: outdated,
  node_requests_exceeded: ({ nodeId, detail, details }) =>
    new InputError(`Node ${nodeId} has too many requests of this kind for the replica: ${detail}.`, {
      code: "node_requests_exceeded",
      hint: "Close one of them.",
      status: 429,
      details,
    }),
  container_not_running: ({ replica, details }) =>
    new InputError(`The container of replica ${replica} does not run.`, {
      code: "container_not_running",
      hint: "Wait until it runs; the replica's reason says why it does not.",
      status: 409,
      details,
    }),
  exec_not_started: ({ detail, details }) =>
    new InputError(`The command cannot be started: ${detail}.`, {
      code: "exec_not_started",
      hint: "Start the replica first, or correct the command.",
      status: 409,
      details,
    }),
  exec_session_unknown: ({ nodeId, details }) =>
    new InputError(`Node ${nodeId} has no such session for the replica.`, {
      code: "exec_session_unknown",
      hint: "Begin another one.",
      status: 410,
      details,
    }),
  exec_output_lost: ({ detail, details }) =>
    new InputError(`The output is not kept: ${detail}.`, {
      code: "exec_output_lost",
      hint: "Attach from a later byte, or acknowledge what arrives.",
      status: 410,
      details,
    }),
  node_request_invalid: ({ detail, details }) =>
    new InputError(`The node refuses the request: ${detail}.`, {
      code: "node_request_invalid",
      hint: "Correct the value.",
      details,
    }),
  lease_not_found: notOnNode,
  engine_unreachable: engineUnreachable,
  engine_failed: engineUnreachable,
};

/** The error of a request to a node that failed. */
export function failureError(failure: Failure, { workspaceId, replica, nodeId }: Replica): Error {
  const { reason } = failure;
  // Clients send a sentence, older ones a clause.
  const detail = (failure.detail ?? "").replace(/\.$/, "");
  const facts: Facts = { nodeId, replica, detail, details: { workspaceId, replica, nodeId } };
  if (failure.servesNodeRequests !== true && reason === "lease_not_found") return outdated(facts);
  const known = Object.hasOwn(byReason, reason) ? byReason[reason] : undefined;
  if (known !== undefined) return known(facts);
  if (failure.failure === "not_delivered") return notOnNode(facts);
  return new InputError(`Node ${nodeId} did not answer the request: ${detail || reason}.`, {
    code: "node_request_failed",
    hint: "Try again. If it recurs, report it to the node's operator.",
    status: 502,
    details: facts.details,
  });
}

function outdated({ nodeId, details }: Facts): InputError {
  return new InputError(`The client of node ${nodeId} is too old for this request.`, {
    code: "node_outdated",
    hint: "Ask the node's operator to update it, or exclude the node and start the replica again.",
    status: 501,
    details,
  });
}

function notOnNode({ nodeId, details }: Facts): RetryableError {
  return new RetryableError(`Node ${nodeId} does not have the replica yet, or not any more.`, {
    code: "replica_not_on_node",
    hint: "Try again in a few seconds.",
    details,
  });
}

function engineUnreachable({ nodeId, details }: Facts): RetryableError {
  return new RetryableError(`The Docker engine of node ${nodeId} does not answer.`, {
    code: "node_engine_unreachable",
    hint: "Try again in a few seconds.",
    details,
  });
}
