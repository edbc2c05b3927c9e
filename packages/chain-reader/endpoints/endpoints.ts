import { NgpuError, RetryableError } from "@ngpu/runtime/errors";
import type { EndpointGroup } from "./endpointGroup.ts";
import { type EndpointHealth, initialHealth, scoreOf } from "./endpointHealth.ts";
import type { RpcRequest } from "./jsonRpc.ts";
import { unlimited } from "./pace.ts";
import { byNumber, recordFailure, requestAny, requestOne } from "./requestAny.ts";

export type EndpointState = EndpointHealth & {
  /** Host and port, numbered if they repeat. The path is omitted because it may contain a key. */
  name: string;
  score: number;
};

export type Endpoints = {
  /** Sends a request to the best endpoint, and to the next one if that fails. */
  request: (rpcRequest: RpcRequest) => Promise<unknown>;
  /** The same; requests made in the same tick of the event loop are sent as one batch. */
  batched: { request: (rpcRequest: RpcRequest) => Promise<unknown> };
  /** Tries the best endpoint last. */
  otherEndpoints: { request: (rpcRequest: RpcRequest) => Promise<unknown> };
  /** Records an error of the endpoint in use that was detected elsewhere. */
  penalize: (code: string) => void;
  states: () => EndpointState[];
};

export type EndpointsOptions = {
  urls: readonly string[];
  /** Stops the probes of endpoints that are not in use. */
  signal?: AbortSignal;
  /** Milliseconds for a response. Default 10,000. */
  deadline?: number;
  /** Milliseconds between probes of the endpoints that are not in use. Default 5,000. */
  probeInterval?: number;
  /** Called with the name of the endpoint and the code of each error. */
  onError?: (endpoint: string, code: string) => void;
};

/** @deadline A complete response of an RPC endpoint. The request is sent to the next endpoint, and then again to all. */
const responseDeadline = 10_000;

/** Combines several endpoints of one chain: selects the best by latency, error rate and head, and fails over. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { urls, deadline = responseDeadline, onError } = options;
  const group: EndpointGroup = {
    urls,
    deadline,
    signal: options.signal ?? new AbortController().signal,
    onError,
    names: namesOf(urls),
    healthByEndpoint: urls.map(() => initialHealth),
    paceByEndpoint: urls.map(() => unlimited),
    batchByEndpoint: urls.map(() => Number.POSITIVE_INFINITY),
    current: 0,
  };
  startProbes(group, options);
  return {
    request: async (rpcRequest) => resultOf(await requestAny(group, [rpcRequest]), 0),
    batched: { request: createBatcher(group) },
    otherEndpoints: {
      request: async (rpcRequest) => resultOf(await requestAny(group, [rpcRequest], { otherFirst: true }), 0),
    },
    penalize: (code) =>
      recordFailure(
        group,
        group.current,
        new RetryableError("An endpoint returned a wrong response.", {
          code,
          hint: "Wait: another endpoint is asked. If it recurs, replace this endpoint.",
        }),
      ),
    states: () => statesOf(group),
  };
}

function namesOf(urls: readonly string[]): string[] {
  return urls.map((url, index) => {
    const { host } = new URL(url);
    const before = urls.slice(0, index).filter((other) => new URL(other).host === host).length;
    return before === 0 ? host : `${host} ${before + 1}`;
  });
}

function statesOf({ healthByEndpoint, names }: EndpointGroup): EndpointState[] {
  const best = healthByEndpoint.reduce((most, { head = 0n }) => (head > most ? head : most), 0n);
  return healthByEndpoint.map((health, index) => ({
    ...health,
    name: names[index] as string,
    score: scoreOf(health, best),
  }));
}

/** Collects the requests of one tick of the event loop into a batch. */
function createBatcher(group: EndpointGroup): (rpcRequest: RpcRequest) => Promise<unknown> {
  let waiting: RpcRequest[] = [];
  let sent: Promise<(unknown | NgpuError)[]> | undefined;
  return async (rpcRequest) => {
    const position = waiting.push(rpcRequest) - 1;
    sent ??= Promise.resolve().then(() => {
      const rpcRequests = waiting;
      waiting = [];
      sent = undefined;
      return requestAny(group, rpcRequests);
    });
    return resultOf(await sent, position);
  };
}

/** Probes the endpoints that are not in use, so that their scores stay current. */
function startProbes(group: EndpointGroup, { probeInterval = 5_000, signal }: EndpointsOptions): void {
  if (group.urls.length < 2) return;
  const probe = async () => {
    const now = performance.now();
    const due = group.healthByEndpoint.flatMap(({ cooldownUntil }, index) =>
      index !== group.current && cooldownUntil <= now && (group.paceByEndpoint[index]?.next ?? 0) <= now
        ? [index]
        : [],
    );
    const query = { method: byNumber, params: ["latest", false] };
    await Promise.allSettled(due.map((index) => requestOne(group, index, [query])));
  };
  const timer = setInterval(() => void probe(), probeInterval).unref();
  signal?.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function resultOf(results: (unknown | NgpuError)[], position: number): unknown {
  const result = results[position];
  if (result instanceof NgpuError) throw result;
  return result;
}
