import { NgpuError, RetryableError } from "@ngpu/runtime/errors";
import type { Question } from "./ask.ts";
import { askAny, askOne, blame, byNumber, type Group } from "./askAny.ts";
import { newcomer, type Standing, scoreOf } from "./score.ts";

export type EndpointState = Standing & {
  /** Host and port, numbered where they repeat: a path may hold a key. */
  name: string;
  score: number;
};

export type Endpoints = {
  /** Asks the best endpoint, and the next one when it is at fault. */
  request: (question: Question) => Promise<unknown>;
  /** The same, with the questions of one turn of the event loop as one request. */
  batched: { request: (question: Question) => Promise<unknown> };
  /** Asks any other than the best one first. */
  elsewhere: { request: (question: Question) => Promise<unknown> };
  /** Counts a fault of the endpoint in use that no answer of its own showed. */
  distrust: (code: string) => void;
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
  onFault?: (endpoint: string, code: string) => void;
};

/** Several endpoints of one chain as one: asks the best by latency, faults and head, and leaves one that fails. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { urls, deadline = 10_000, onFault } = options;
  const group: Group = {
    urls,
    deadline,
    onFault,
    names: namesOf(urls),
    standings: urls.map(() => newcomer),
    present: 0,
  };
  startProbes(group, options);
  return {
    request: async (question) => resultOf(await askAny(group, [question]), 0),
    batched: { request: createBatcher(group) },
    elsewhere: {
      request: async (question) => resultOf(await askAny(group, [question], { otherFirst: true }), 0),
    },
    distrust: (code) =>
      blame(group, group.present, new RetryableError("An endpoint was found at fault.", { code })),
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

function statesOf({ standings, names }: Group): EndpointState[] {
  const best = standings.reduce((most, { head = 0n }) => (head > most ? head : most), 0n);
  return standings.map((standing, index) => ({
    ...standing,
    name: names[index] as string,
    score: scoreOf(standing, best),
  }));
}

/** Asks the questions of one turn of the event loop together. */
function createBatcher(group: Group): (question: Question) => Promise<unknown> {
  let waiting: Question[] = [];
  let sent: Promise<(unknown | NgpuError)[]> | undefined;
  return async (question) => {
    const place = waiting.push(question) - 1;
    sent ??= Promise.resolve().then(() => {
      const questions = waiting;
      waiting = [];
      sent = undefined;
      return askAny(group, questions);
    });
    return resultOf(await sent, place);
  };
}

/** Looks at the endpoints that are not in use now and then, so that the one in use is the best. */
function startProbes(group: Group, { probeInterval = 5_000, signal }: EndpointsOptions): void {
  if (group.urls.length < 2) return;
  const probe = async () => {
    const now = performance.now();
    const due = group.standings.flatMap(({ restsUntil }, index) =>
      index !== group.present && restsUntil <= now ? [index] : [],
    );
    const look = { method: byNumber, params: ["latest", false] };
    await Promise.allSettled(due.map((index) => askOne(group, index, [look])));
  };
  const timer = setInterval(() => void probe(), probeInterval).unref();
  signal?.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function resultOf(answers: (unknown | NgpuError)[], place: number): unknown {
  const answer = answers[place];
  if (answer instanceof NgpuError) throw answer;
  return answer;
}
