import { setTimeout as sleep } from "node:timers/promises";
import { FatalError, isRetryable, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import type { EndpointGroup, Results } from "./endpointGroup.ts";
import { afterError, afterSuccess, initialHealth, orderOf } from "./endpointHealth.ts";
import type { RpcRequest } from "./jsonRpc.ts";
import { afterRateLimit, afterServed, unlimited } from "./pace.ts";
import { sendTo } from "./sendTo.ts";

export const byNumber = "eth_getBlockByNumber";
// These errors are no failure of the endpoint. Another endpoint may serve the request; the same one does not.
const lastingRefusals = new Set(["rpc_limit", "rpc_history_pruned"]);
const blameless = new Set([...lastingRefusals, "rpc_batch_refused", "rpc_block_not_found"]);
// All endpoints are tried twice, with a pause in between: a single dropped connection is not reported.
const rounds = 2;
// More often while they only limit the rate: each round waits until one of them accepts requests again.
const limitedRounds = 8;
const pauseMs = 150;

/**
 * The outcome of a round in which no endpoint succeeded: the last error, a response that lacks a block, one with a lasting refusal, and
 * the errors of endpoints that lack the method.
 */
type RoundFailure = {
  last: unknown;
  without: Results | undefined;
  refused: Results | NgpuError | undefined;
  lacking: FatalError[];
};

/**
 * Tries one endpoint after another until all requests succeed or every endpoint refuses them.
 *
 * @param options.otherFirst Tries the best endpoint last.
 * @throws RetryableError if no endpoint responds; FatalError `rpc_method_unsupported` if every endpoint lacks a method.
 */
export async function requestAny(
  group: EndpointGroup,
  rpcRequests: readonly RpcRequest[],
  { otherFirst = false } = {},
): Promise<Results> {
  let last: unknown;
  for (let round = 0; round < (isRateLimited(last) ? limitedRounds : rounds); round++) {
    if (round > 0) await sleep(pauseMs);
    const outcome = await requestEach(group, rpcRequests, otherFirst);
    if (Array.isArray(outcome)) return outcome;
    last = outcome.last ?? last;
    // A response without the block: another endpoint may already have it.
    if (outcome.without !== undefined) return outcome.without;
    if (outcome.refused instanceof NgpuError) throw outcome.refused;
    if (outcome.refused !== undefined) return outcome.refused;
    // Fatal only if every endpoint lacks the method.
    if (outcome.lacking.length === group.urls.length) throw outcome.lacking[0];
  }
  throw isRetryable(last)
    ? last
    : new RetryableError("No endpoint responds.", {
        code: "rpc_failed",
        hint: "Check CHAIN_RPC_URLS and that the endpoints are up.",
        cause: last,
      });
}

function isRateLimited(error: unknown): boolean {
  return error instanceof NgpuError && error.code === "rpc_rate_limited";
}

async function requestEach(
  group: EndpointGroup,
  rpcRequests: readonly RpcRequest[],
  otherFirst: boolean,
): Promise<Results | RoundFailure> {
  const failures: RoundFailure = { last: undefined, without: undefined, refused: undefined, lacking: [] };
  const order = orderOf(group.healthByEndpoint, group.current, performance.now());
  if (otherFirst) order.push(...order.splice(0, 1));
  for (const index of order) {
    try {
      const results = await requestOne(group, index, rpcRequests);
      const failure = results.find((result) => result instanceof NgpuError);
      if (failure === undefined && !lacksBlock(rpcRequests, results)) {
        if (!otherFirst) group.current = index;
        return results;
      }
      if (failure === undefined) failures.without = results;
      else if (lastingRefusals.has(failure.code)) failures.refused = results;
      else {
        failures.last = failure;
        if (failure instanceof FatalError) failures.lacking.push(failure);
      }
    } catch (error) {
      if (error instanceof NgpuError && lastingRefusals.has(error.code)) failures.refused = error;
      else failures.last = error;
    }
  }
  return failures;
}

function lacksBlock(rpcRequests: readonly RpcRequest[], results: Results): boolean {
  return results.some((result, position) => result === null && rpcRequests[position]?.method === byNumber);
}

/** Sends requests to one endpoint and records the outcome. */
export async function requestOne(
  group: EndpointGroup,
  index: number,
  rpcRequests: readonly RpcRequest[],
): Promise<Results> {
  const since = performance.now();
  try {
    const results = await sendTo(group, index, rpcRequests);
    const failure = results.find((result) => result instanceof NgpuError);
    if (failure instanceof NgpuError) recordFailure(group, index, failure);
    else recordSuccess(group, index, performance.now() - since, { rpcRequests, results });
    return results;
  } catch (error) {
    recordFailure(group, index, error);
    throw error;
  }
}

/** Records an error of an endpoint. */
export function recordFailure(
  { names, healthByEndpoint, paceByEndpoint, onError }: EndpointGroup,
  index: number,
  error: unknown,
): void {
  const code = error instanceof NgpuError ? error.code : "rpc_failed";
  const now = performance.now();
  onError?.(names[index] as string, code);
  if (isRateLimited(error)) {
    const { retryAfterMs } = (error as NgpuError).details as { retryAfterMs?: number };
    paceByEndpoint[index] = afterRateLimit(paceByEndpoint[index] ?? unlimited, now, retryAfterMs);
  }
  if (!blameless.has(code))
    healthByEndpoint[index] = afterError(healthByEndpoint[index] ?? initialHealth, now);
}

function recordSuccess(
  { healthByEndpoint, paceByEndpoint }: EndpointGroup,
  index: number,
  milliseconds: number,
  { rpcRequests, results }: { rpcRequests: readonly RpcRequest[]; results: Results },
): void {
  // The time of a large response does not indicate the endpoint's latency.
  const small = rpcRequests.length === 1 && rpcRequests[0]?.method !== "eth_getLogs";
  const health = healthByEndpoint[index] ?? initialHealth;
  paceByEndpoint[index] = afterServed(paceByEndpoint[index] ?? unlimited);
  const next = afterSuccess(health, small ? milliseconds : (health.latency ?? milliseconds));
  rpcRequests.forEach(({ method, params }, position) => {
    if (method === byNumber && (params as unknown[])[0] === "latest") {
      next.head = numberOf(results[position]) ?? next.head;
    }
  });
  healthByEndpoint[index] = next;
}

function numberOf(block: unknown): bigint | undefined {
  const number = (block as { number?: unknown } | null)?.number;
  return typeof number === "string" && /^0x[0-9a-f]{1,16}$/i.test(number) ? BigInt(number) : undefined;
}
