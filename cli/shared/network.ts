import type { ApiClient } from "@ngpu/api-client/client";
import { type Deployment, parseDeployment } from "@ngpu/contracts-sdk/deployment";

/** The market's contracts, its chain and the endpoints to read it from. */
export type MarketNetwork = { chainId: number; rpcUrls: string[]; deployment: Deployment };

/**
 * Reads the market's description from the API.
 *
 * @param rpcUrl The endpoint to use in place of those that the API names.
 * @throws FatalError `deployment_invalid`, and the errors of the API.
 */
export async function readNetwork(api: ApiClient, rpcUrl?: string): Promise<MarketNetwork> {
  const { chainId, rpcUrls, deployment } = await api.call("GET /v1/network", {});
  return {
    chainId,
    rpcUrls: rpcUrl === undefined ? rpcUrls : [rpcUrl],
    deployment: parseDeployment(deployment),
  };
}
