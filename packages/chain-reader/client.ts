import type { Logger } from "@ngpu/runtime/logger";
import { type Chain, createPublicClient, custom, defineChain, fallback, http, type PublicClient } from "viem";
import { createEndpoints, type Endpoints, type EndpointsOptions } from "./endpoints/endpoints.ts";
import { listenForHeads } from "./endpoints/headHints.ts";
import type { RpcClient } from "./rpc.ts";

export type ChainClient = PublicClient;

/** The viem chain definition. Only the id is used; everything else is read from the endpoints. */
export function chainOf(chainId: number): Chain {
  return defineChain({
    id: chainId,
    name: `OP-stack chain ${chainId}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [] } },
  });
}

/** @deadline A complete response of an RPC endpoint to a call. It is sent three times, and then to the next endpoint. */
const responseDeadline = 10_000;
/** Longest pause that an endpoint may ask for, in seconds: the next endpoint is used sooner. */
const maxPauseSeconds = 5;

/** Requests that an endpoint is sent at once, where it is asked for many. */
const batchSize = 50;

/**
 * A transport over several endpoints. Each call is tried three times on an endpoint before the next one is used.
 *
 * @param options.deadline Milliseconds for a complete response.
 * @param options.batch Sends the requests of one turn together.
 */
export function chainTransport(rpcUrls: string[], { deadline = responseDeadline, batch = false } = {}) {
  return fallback(
    rpcUrls.map((url) =>
      http(url, {
        timeout: deadline,
        fetchFn: fetchComplete,
        retryCount: 2,
        retryDelay: 150,
        ...(batch && { batch: { batchSize } }),
      }),
    ),
    { retryCount: 1 },
  );
}

/** Fetches head and body: viem's timeout ends with the head. A pause that the endpoint asks for is limited. */
const fetchComplete: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const body = await response.arrayBuffer();
  const headers = new Headers(response.headers);
  const pause = headers.get("retry-after");
  if (pause !== null) headers.set("retry-after", String(Math.min(maxPauseSeconds, secondsOf(pause))));
  const { status, statusText } = response;
  return new Response(status === 204 || status === 205 || status === 304 ? null : body, {
    status,
    statusText,
    headers,
  });
};

function secondsOf(pause: string): number {
  const seconds = Number(pause);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : maxPauseSeconds;
}

export function createChainClient(options: {
  rpcUrls: string[];
  chainId: number;
  /** Milliseconds for a complete response. Default 10,000. */
  deadline?: number;
}): ChainClient {
  return createPublicClient({
    chain: chainOf(options.chainId),
    transport: chainTransport(options.rpcUrls, options),
    pollingInterval: 500,
    cacheTime: 0,
  });
}

export type FollowClient = ChainClient & Required<RpcClient> & { states: Endpoints["states"] };

/** A client that reads many blocks: it sends requests for headers together, where the endpoint takes them so. */
export function createHistoryClient(options: {
  rpcUrls: string[];
  chainId: number;
}): ChainClient & Pick<Required<RpcClient>, "batched"> {
  const batched = createPublicClient({
    chain: chainOf(options.chainId),
    transport: chainTransport(options.rpcUrls, { batch: true }),
    cacheTime: 0,
  });
  return Object.assign(createChainClient(options), { batched });
}

/**
 * A client for following the chain. It sends requests to the best endpoint, batches header requests, and subscribes to
 * new heads at all endpoints.
 *
 * @param options.wsUrls WebSocket URLs for head subscriptions. Default: `rpcUrls` with `ws` in place of `http`.
 */
export function createFollowClient(
  options: Pick<EndpointsOptions, "signal" | "onError"> & {
    rpcUrls: string[];
    wsUrls?: string[] | undefined;
    chainId: number;
    logger: Logger;
    signal: AbortSignal;
  },
): FollowClient {
  const {
    rpcUrls,
    wsUrls = rpcUrls.map((url) => url.replace(/^http/, "ws")),
    chainId,
    logger,
    signal,
  } = options;
  const { request, batched, otherEndpoints, penalize, states } = createEndpoints({
    ...options,
    urls: rpcUrls,
  });
  const hints = listenForHeads({ urls: wsUrls, chainId, logger, signal });
  const client = createPublicClient({
    chain: chainOf(chainId),
    transport: custom({ request }, { retryCount: 0 }),
    cacheTime: 0,
  });
  return Object.assign(client, {
    request,
    batched,
    otherEndpoints,
    penalize: (code: string) => {
      penalize(code);
      hints.suspect();
    },
    hints,
    states,
  }) as unknown as FollowClient;
}
