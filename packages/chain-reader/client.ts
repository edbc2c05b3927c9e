import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import {
  type Address,
  BaseError,
  type Chain,
  createPublicClient,
  custom,
  defineChain,
  fallback,
  http,
  type PublicClient,
} from "viem";
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

/**
 * Checks at startup that the chain is reachable and that it is the chain of the deployment.
 *
 * @throws FatalError `chain_unreachable`, `chain_mismatch` or `contract_not_found`.
 */
export async function requireChain(
  client: ChainClient,
  deployment: Pick<Deployment, "chainId" | "contracts">,
): Promise<void> {
  const chainId = await queryAtStart(() => client.getChainId());
  if (chainId !== deployment.chainId) {
    throw new FatalError(
      `The endpoint serves chain ${chainId}; the deployment is on ${deployment.chainId}.`,
      {
        code: "chain_mismatch",
        hint: "Point CHAIN_RPC_URLS or DEPLOYMENT_FILE to the same chain.",
      },
    );
  }
  const code = await queryAtStart(() => codeAt(client, deployment.contracts.ComputeNode));
  if (code === "0x") {
    throw new FatalError(`There is no contract at ${deployment.contracts.ComputeNode}.`, {
      code: "contract_not_found",
      hint: "The chain was restarted, or the deployment belongs to another chain. Deploy again.",
    });
  }
}

/** viem's own function takes a missing result for no code. */
async function codeAt(client: ChainClient, address: Address): Promise<string> {
  const code: unknown = await client.request({ method: "eth_getCode", params: [address, "latest"] });
  if (typeof code !== "string") throw new TypeError("the code is no text");
  return code;
}

/** @deadline The chain at the start of a program, retries included. It stops with `chain_unreachable`. */
const startTimeoutMs = 15_000;

/** Tries of a query at the start whose answer is no JSON-RPC, and milliseconds between them. */
const unreadable = { tries: 5, pause: 200 };

/** viem tries again what an endpoint refuses, but not what it cannot read. */
async function queryUntilRead<Result>(query: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await query();
    } catch (error) {
      if (error instanceof BaseError || tries >= unreadable.tries) throw error;
      await rest(unreadable.pause, signal);
    }
  }
}

async function queryAtStart<Result>(query: () => Promise<Result>): Promise<Result> {
  const deadline = AbortSignal.timeout(startTimeoutMs);
  const timeout = Promise.withResolvers<never>();
  const onTimeout = () => timeout.reject(new Error(`no answer within ${startTimeoutMs / 1000} s`));
  deadline.addEventListener("abort", onTimeout, { once: true });
  try {
    return await Promise.race([queryUntilRead(query, deadline), timeout.promise]);
  } catch (error) {
    const isReadable = deadline.aborted || error instanceof BaseError;
    const reason = isReadable ? messageOf(error).split("\n")[0] : "its answers are no JSON-RPC";
    throw new FatalError(`The chain does not answer: ${reason}`, {
      code: "chain_unreachable",
      hint: "Check CHAIN_RPC_URLS and that the endpoint is up.",
      cause: error,
    });
  } finally {
    deadline.removeEventListener("abort", onTimeout);
  }
}
