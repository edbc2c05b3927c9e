import { NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { byNumber, type Group, recordFailure, requestAny, requestOne } from "./askAny.ts";
import { type EndpointHealth, initialHealth, scoreOf } from "./endpointHealth.ts";
import type { RpcRequest } from "./jsonRpc.ts";

export type EndpointState = EndpointHealth & {
  /** Host and port, numbered where they repeat: a path may hold a key. */
  name: string;
  score: number;
};

export type Endpoints = {
  /** Asks the best endpoint, and the next one when it is at fault. */
  request: (rpcRequest: RpcRequest) => Promise<unknown>;
  /** The same, with the questions of one turn of the event loop as one request. */
  batched: { request: (rpcRequest: RpcRequest) => Promise<unknown> };
  /** Asks any other than the best one first. */
  otherEndpoints: { request: (rpcRequest: RpcRequest) => Promise<unknown> };
  /** Counts a fault of the endpoint in use that no answer of its own showed. */
  penalize: (code: string) => void;
  states: () => EndpointState[];
};

export type EndpointsOptions = {
  urls: readonly string[];
  /** Ends the looks at endpoints that are not in use. */
  signal?: AbortSignal;
  /** Milliseconds for an answer. Default 10,000. */
  deadline?: number;
  /** Milliseconds between looks at the endpoints that are not in use. Default 5,000. */
  probeInterval?: number;
  /** Told of each endpoint's faults by their code. */
  onError?: (endpoint: string, code: string) => void;
};

/** Several endpoints of one chain as one: asks the best by latency, faults and head, and leaves one that fails. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { urls, deadline = 10_000, onError } = options;
  const group: Group = {
    urls,
    deadline,
    onError,
    names: namesOf(urls),
    healthByEndpoint: urls.map(() => initialHealth),
    present: 0,
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
        group.present,
        new RetryableError("An endpoint returned a wrong response.", { code }),
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

function statesOf({ healthByEndpoint, names }: Group): EndpointState[] {
  const best = healthByEndpoint.reduce((most, { head = 0n }) => (head > most ? head : most), 0n);
  return healthByEndpoint.map((health, index) => ({
    ...health,
    name: names[index] as string,
    score: scoreOf(health, best),
  }));
}

/** Asks the questions of one turn of the event loop together. */
function createBatcher(group: Group): (rpcRequest: RpcRequest) => Promise<unknown> {
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

/** Looks at the endpoints that are not in use now and then, so that the one in use is the best. */
function startProbes(group: Group, { probeInterval = 5_000, signal }: EndpointsOptions): void {
  if (group.urls.length < 2) return;
  const probe = async () => {
    const now = performance.now();
    const due = group.healthByEndpoint.flatMap(({ cooldownUntil }, index) =>
      index !== group.present && cooldownUntil <= now ? [index] : [],
    );
    const query = { method: byNumber, params: ["latest", false] };
    await Promise.allSettled(due.map((index) => requestOne(group, index, [query])));
  };
  const timer = setInterval(() => void probe(), probeInterval).unref();
  signal?.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function resultOf(answers: (unknown | NgpuError)[], position: number): unknown {
  const answer = answers[position];
  if (answer instanceof NgpuError) throw answer;
  return answer;
}
