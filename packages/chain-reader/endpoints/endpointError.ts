import { RetryableError } from "@ngpu/runtime/errors";
import type { Refusal } from "./providerErrors.ts";

const errors = {
  rpc_failed: {
    message: "The RPC endpoint did not respond.",
    hint: "Check CHAIN_RPC_URLS and that the endpoint is up. The request is tried again.",
  },
  rpc_timeout: {
    message: "The RPC endpoint did not respond in time.",
    hint: "Check the network to the endpoint, or use a faster one. The request is tried again.",
  },
  rpc_rate_limited: {
    message: "The RPC endpoint refused the request because of its rate limit.",
    hint: "Wait, add another endpoint to CHAIN_RPC_URLS, or use a plan with a higher limit.",
  },
  rpc_limit: {
    message: "The RPC endpoint refused the request because it exceeds a limit.",
    hint: "Wait: a smaller range is requested. If it recurs, use an endpoint with a higher limit.",
  },
  rpc_batch_refused: {
    message: "The RPC endpoint does not take so many requests at once.",
    hint: "Wait: smaller batches are sent. If it recurs, use another endpoint.",
  },
  rpc_history_pruned: {
    message: "The RPC endpoint does not have the history of these blocks.",
    hint: "Add an endpoint to CHAIN_RPC_URLS that keeps all blocks and logs since the deployment.",
  },
  rpc_block_not_found: {
    message: "The RPC endpoint does not have this block.",
    hint: "Wait until the endpoint has this block, or add another endpoint to CHAIN_RPC_URLS.",
  },
};

/** The error of a request to an endpoint. `retryAfterMs` is the pause that a rate-limited endpoint asks for. */
export function endpointError(
  code: keyof typeof errors,
  cause: unknown,
  details: { retryAfterMs?: number } = {},
): RetryableError {
  const { message, hint } = errors[code];
  return new RetryableError(message, { code, hint, details, cause });
}

/** The error of a request that an endpoint refused; undefined: it failed in another way. */
export function refusalError(refusal: Refusal | undefined, cause: unknown): RetryableError {
  switch (refusal) {
    case "rpc_rate_limited":
      return endpointError("rpc_rate_limited", cause);
    case "rpc_batch_refused":
      return endpointError("rpc_batch_refused", cause);
    case "rpc_history_pruned":
      return endpointError("rpc_history_pruned", cause);
    case "rpc_block_not_found":
      return endpointError("rpc_block_not_found", cause);
    case "rpc_limit":
      return endpointError("rpc_limit", cause);
    default:
      return endpointError("rpc_failed", cause);
  }
}
