import type { NgpuError } from "@ngpu/runtime/errors";
import type { EndpointHealth } from "./endpointHealth.ts";
import type { Pace } from "./pace.ts";

/** The endpoints of one chain and their health. */
export type EndpointGroup = {
  urls: readonly string[];
  /** Milliseconds for a response. */
  deadline: number;
  /** Ends waits for a turn. */
  signal: AbortSignal;
  onError: ((endpoint: string, code: string) => void) | undefined;
  names: readonly string[];
  healthByEndpoint: EndpointHealth[];
  paceByEndpoint: Pace[];
  /** The largest batch that each endpoint may accept. */
  batchByEndpoint: number[];
  /** Index of the endpoint in use. */
  current: number;
};

export type Results = (unknown | NgpuError)[];
