import { NgpuError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { endpointError } from "./endpointError.ts";
import type { EndpointGroup, Results } from "./endpointGroup.ts";
import { postRpc, type RpcRequest } from "./jsonRpc.ts";
import { takeTurn, unlimited } from "./pace.ts";

/** @deadline A turn at an RPC endpoint that limits the rate of requests. The request is refused with `rpc_rate_limited`. */
const turnDeadline = 30_000;
/** @deadline A turn at one of several RPC endpoints. The next endpoint is used. */
const turnDeadlineOfOthers = 500;

/**
 * Sends requests to one endpoint: in batches as large as it accepts, and no faster than it accepts.
 *
 * @throws RetryableError as postRpc.
 */
export async function sendTo(
  group: EndpointGroup,
  index: number,
  rpcRequests: readonly RpcRequest[],
): Promise<Results> {
  const largest = group.batchByEndpoint[index] ?? Number.POSITIVE_INFINITY;
  if (rpcRequests.length > largest) return sendParts(group, index, partsOf(rpcRequests, largest));
  await awaitTurn(group, index);
  try {
    return await postRpc(group.urls[index] as string, rpcRequests, group.deadline);
  } catch (error) {
    const isRefused = error instanceof NgpuError && error.code === "rpc_batch_refused";
    if (!isRefused || rpcRequests.length === 1) throw error;
    const half = Math.ceil(rpcRequests.length / 2);
    group.batchByEndpoint[index] = Math.min(group.batchByEndpoint[index] ?? half, half);
    return sendParts(group, index, partsOf(rpcRequests, half));
  }
}

/** Parts are sent one after another: an endpoint that limits batches usually limits the rate, too. */
async function sendParts(
  group: EndpointGroup,
  index: number,
  parts: readonly (readonly RpcRequest[])[],
): Promise<Results> {
  const results: unknown[] = [];
  for (const part of parts) results.push(...(await sendTo(group, index, part)));
  return results;
}

function partsOf(rpcRequests: readonly RpcRequest[], size: number): RpcRequest[][] {
  return Array.from({ length: Math.ceil(rpcRequests.length / size) }, (_, at) =>
    rpcRequests.slice(at * size, (at + 1) * size),
  );
}

async function awaitTurn(group: EndpointGroup, index: number): Promise<void> {
  const now = performance.now();
  const { at, pace } = takeTurn(group.paceByEndpoint[index] ?? unlimited, now);
  if (at > now + (group.urls.length > 1 ? turnDeadlineOfOthers : turnDeadline)) {
    throw endpointError("rpc_rate_limited", new Error("the endpoint accepts no request at this time"), {
      retryAfterMs: at - now,
    });
  }
  group.paceByEndpoint[index] = pace;
  if (at > now) await rest(at - now, group.signal);
}
