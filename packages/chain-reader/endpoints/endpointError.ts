import { RetryableError } from "@ngpu/runtime/errors";

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
};

/** The error of a request to an endpoint. */
export function endpointError(code: keyof typeof errors, cause: unknown): RetryableError {
  return new RetryableError(errors[code].message, { code, hint: errors[code].hint, cause });
}
