import type { ClientConfig } from "@ngpu/protocol/updates";

type Endpoints = { rpcUrls: string[]; matchUrls: string[]; gatewayUrls: string[] };

/** Writes the endpoints of the signed configuration over those of the API, in place. */
export function applyEndpoints(network: Endpoints, { endpoints }: ClientConfig): void {
  network.rpcUrls = endpoints.rpcUrls ?? network.rpcUrls;
  network.matchUrls = endpoints.matchUrls ?? network.matchUrls;
  network.gatewayUrls = endpoints.gatewayUrls ?? network.gatewayUrls;
}

/** The operator's limit for prefetched images within the market's. @returns GiB */
export function prefetchLimit(ofOperator: number, { limits, switches }: ClientConfig): number {
  if (switches.prefetch === false) return 0;
  return Math.min(ofOperator, limits.prefetchGib ?? ofOperator);
}
