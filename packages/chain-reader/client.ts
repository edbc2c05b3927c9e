import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
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

/** A transport over several endpoints. Each call is tried three times on an endpoint before the next one is used. */
export function chainTransport(rpcUrls: string[]) {
  return fallback(
    rpcUrls.map((url) => http(url, { timeout: 10_000, retryCount: 2, retryDelay: 150 })),
    { retryCount: 1 },
  );
}

export function createChainClient(options: { rpcUrls: string[]; chainId: number }): ChainClient {
  return createPublicClient({
    chain: chainOf(options.chainId),
    transport: chainTransport(options.rpcUrls),
    pollingInterval: 500,
    cacheTime: 0,
  });
}

export type FollowClient = ChainClient & Required<RpcClient> & { states: Endpoints["states"] };

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
export async function requireChain(client: ChainClient, deployment: Deployment): Promise<void> {
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
  const code = await queryAtStart(() => client.getCode({ address: deployment.contracts.ComputeNode }));
  if (code === undefined) {
    throw new FatalError(`There is no contract at ${deployment.contracts.ComputeNode}.`, {
      code: "contract_not_found",
      hint: "The chain was restarted, or the deployment belongs to another chain. Deploy again.",
    });
  }
}

/** Limit for a startup check. The transport's own retries take a minute on an endpoint that does not respond. */
const startTimeoutMs = 15_000;

async function queryAtStart<Result>(query: () => Promise<Result>): Promise<Result> {
  const deadline = AbortSignal.timeout(startTimeoutMs);
  const timeout = Promise.withResolvers<never>();
  const onTimeout = () => timeout.reject(new Error(`no answer within ${startTimeoutMs / 1000} s`));
  deadline.addEventListener("abort", onTimeout, { once: true });
  try {
    return await Promise.race([query(), timeout.promise]);
  } catch (error) {
    throw new FatalError(`The chain does not answer: ${messageOf(error).split("\n")[0]}`, {
      code: "chain_unreachable",
      hint: "Check CHAIN_RPC_URLS and that the endpoint is up.",
      cause: error,
    });
  } finally {
    deadline.removeEventListener("abort", onTimeout);
  }
}
