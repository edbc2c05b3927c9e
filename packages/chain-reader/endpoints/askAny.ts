import { setTimeout as sleep } from "node:timers/promises";
import { FatalError, isRetryable, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { answered, type EndpointHealth, failed, initialHealth, orderOf } from "./endpointHealth.ts";
import { postRpc, type RpcRequest } from "./jsonRpc.ts";

/** The endpoints of one chain, and how each has done so far. */
export type Group = {
  urls: readonly string[];
  /** Milliseconds for an answer. */
  deadline: number;
  onError: ((endpoint: string, code: string) => void) | undefined;
  names: readonly string[];
  healthByEndpoint: EndpointHealth[];
  /** The place of the one in use. */
  present: number;
};

type Answers = (unknown | NgpuError)[];

export const byNumber = "eth_getBlockByNumber";
// An endpoint is not at fault when a question asks too much of it.
const callerErrors = new Set(["rpc_limit"]);
// A further round over all endpoints after a pause, as a single dropped connection is no fault worth telling.
const rounds = 2;
const pauseMs = 150;

/** What a round over the endpoints came to without an answer that no other endpoint could better. */
type Unanswered = { last: unknown; without: Answers | undefined; lacking: FatalError[] };

/**
 * Asks one endpoint after another until none of the answers is a fault that another endpoint may not have.
 *
 * @param options.otherFirst Any other than the best one is asked first.
 */
export async function requestAny(
  group: Group,
  rpcRequests: readonly RpcRequest[],
  { otherFirst = false } = {},
): Promise<Answers> {
  let last: unknown;
  // One endpoint may not have a block yet that another has.
  let without: Answers | undefined;
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await sleep(pauseMs);
    const outcome = await askEach(group, rpcRequests, otherFirst);
    if (Array.isArray(outcome)) return outcome;
    last = outcome.last ?? last;
    without = outcome.without ?? without;
    if (without !== undefined) return without;
    // Fatal only when every endpoint lacks it.
    if (outcome.lacking.length === group.urls.length) throw outcome.lacking[0];
  }
  throw isRetryable(last)
    ? last
    : new RetryableError("No endpoint answers.", { code: "rpc_failed", cause: last });
}

async function askEach(
  group: Group,
  rpcRequests: readonly RpcRequest[],
  otherFirst: boolean,
): Promise<Answers | Unanswered> {
  const unanswered: Unanswered = { last: undefined, without: undefined, lacking: [] };
  const order = orderOf(group.healthByEndpoint, group.present, performance.now());
  if (otherFirst) order.push(...order.splice(0, 1));
  for (const index of order) {
    try {
      const answers = await requestOne(group, index, rpcRequests);
      const failure = answers.find((answer) => answer instanceof NgpuError && !callerErrors.has(answer.code));
      if (failure === undefined && !lacksBlock(rpcRequests, answers)) {
        if (!otherFirst) group.present = index;
        return answers;
      }
      if (failure === undefined) unanswered.without = answers;
      else {
        unanswered.last = failure;
        if (failure instanceof FatalError) unanswered.lacking.push(failure);
      }
    } catch (error) {
      unanswered.last = error;
      if (error instanceof NgpuError && callerErrors.has(error.code)) throw error;
    }
  }
  return unanswered;
}

function lacksBlock(rpcRequests: readonly RpcRequest[], answers: Answers): boolean {
  return answers.some((answer, position) => answer === null && rpcRequests[position]?.method === byNumber);
}

/** Asks one endpoint and notes how it did. */
export async function requestOne(
  group: Group,
  index: number,
  rpcRequests: readonly RpcRequest[],
): Promise<Answers> {
  const since = performance.now();
  try {
    const answers = await postRpc(group.urls[index] as string, rpcRequests, group.deadline);
    const failure = answers.find((answer) => answer instanceof NgpuError);
    if (failure instanceof NgpuError) recordFailure(group, index, failure);
    else recordSuccess(group, index, performance.now() - since, { rpcRequests, answers });
    return answers;
  } catch (error) {
    recordFailure(group, index, error);
    throw error;
  }
}

/** Notes a fault of an endpoint. */
export function recordFailure(
  { names, healthByEndpoint, onError }: Group,
  index: number,
  error: unknown,
): void {
  const code = error instanceof NgpuError ? error.code : "rpc_failed";
  onError?.(names[index] as string, code);
  if (!callerErrors.has(code))
    healthByEndpoint[index] = failed(healthByEndpoint[index] ?? initialHealth, performance.now());
}

function recordSuccess(
  { healthByEndpoint }: Group,
  index: number,
  milliseconds: number,
  { rpcRequests, answers }: { rpcRequests: readonly RpcRequest[]; answers: Answers },
): void {
  // A long answer says nothing of how far away an endpoint is.
  const small = rpcRequests.length === 1 && rpcRequests[0]?.method !== "eth_getLogs";
  const health = healthByEndpoint[index] ?? initialHealth;
  const next = answered(health, small ? milliseconds : (health.latency ?? milliseconds));
  rpcRequests.forEach(({ method, params }, position) => {
    if (method === byNumber && (params as unknown[])[0] === "latest") {
      next.head = numberOf(answers[position]) ?? next.head;
    }
  });
  healthByEndpoint[index] = next;
}

function numberOf(block: unknown): bigint | undefined {
  const number = (block as { number?: unknown } | null)?.number;
  return typeof number === "string" && /^0x[0-9a-f]{1,16}$/i.test(number) ? BigInt(number) : undefined;
}
