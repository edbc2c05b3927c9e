import { setTimeout as sleep } from "node:timers/promises";
import { FatalError, isRetryable, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { ask, type Question } from "./ask.ts";
import { answered, failed, newcomer, orderOf, type Standing, scoreOf } from "./score.ts";

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

const byNumber = "eth_getBlockByNumber";
// An endpoint is not at fault when a question asks too much of it.
const innocent = new Set(["rpc_limit"]);
// A further round over all endpoints after a pause, as a single dropped connection is no fault worth telling.
const rounds = 2;
const pauseMs = 150;

/** Several endpoints of one chain as one: asks the best by latency, faults and head, and leaves one that fails. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { urls, deadline = 10_000, onFault } = options;
  const names = urls.map((url, index) => {
    const { host } = new URL(url);
    const before = urls.slice(0, index).filter((other) => new URL(other).host === host).length;
    return before === 0 ? host : `${host} ${before + 1}`;
  });
  const standings: Standing[] = urls.map(() => newcomer);
  let present = 0;
  startProbes();

  async function askOne(index: number, questions: readonly Question[]): Promise<(unknown | NgpuError)[]> {
    const since = performance.now();
    try {
      const answers = await ask(urls[index] as string, questions, deadline);
      const fault = answers.find((answer) => answer instanceof NgpuError);
      if (fault instanceof NgpuError) blame(index, fault);
      else praise(index, performance.now() - since, questions, answers);
      return answers;
    } catch (error) {
      blame(index, error);
      throw error;
    }
  }

  function praise(index: number, milliseconds: number, questions: readonly Question[], answers: unknown[]) {
    // A long answer says nothing of how far away an endpoint is.
    const small = questions.length === 1 && questions[0]?.method !== "eth_getLogs";
    const standing = standings[index] ?? newcomer;
    const next = answered(standing, small ? milliseconds : (standing.latency ?? milliseconds));
    questions.forEach(({ method, params }, place) => {
      if (method === byNumber && (params as unknown[])[0] === "latest") {
        next.head = numberOf(answers[place]) ?? next.head;
      }
    });
    standings[index] = next;
  }

  function blame(index: number, error: unknown): void {
    const code = error instanceof NgpuError ? error.code : "rpc_failed";
    onFault?.(names[index] as string, code);
    if (!innocent.has(code)) standings[index] = failed(standings[index] ?? newcomer, performance.now());
  }

  /** Asks one endpoint after another until none of the answers is a fault that another endpoint may not have. */
  async function askAny(
    questions: readonly Question[],
    otherFirst = false,
  ): Promise<(unknown | NgpuError)[]> {
    let last: unknown;
    // One endpoint may not have a block yet that another has.
    let without: (unknown | NgpuError)[] | undefined;
    for (let round = 0; round < rounds; round++) {
      if (round > 0) await sleep(pauseMs);
      const lacking: FatalError[] = [];
      const order = orderOf(standings, present, performance.now());
      if (otherFirst) order.push(...order.splice(0, 1));
      for (const index of order) {
        try {
          const answers = await askOne(index, questions);
          const fault = answers.find((answer) => answer instanceof NgpuError && !innocent.has(answer.code));
          const lacks = answers.some(
            (answer, place) => answer === null && questions[place]?.method === byNumber,
          );
          if (fault === undefined && !lacks) {
            if (!otherFirst) present = index;
            return answers;
          }
          if (fault === undefined) without = answers;
          else {
            last = fault;
            if (fault instanceof FatalError) lacking.push(fault);
          }
        } catch (error) {
          last = error;
          if (error instanceof NgpuError && innocent.has(error.code)) throw error;
        }
      }
      if (without !== undefined) return without;
      // Fatal only when every endpoint lacks it.
      if (lacking.length === urls.length) throw lacking[0];
    }
    throw isRetryable(last)
      ? last
      : new RetryableError("No endpoint answers.", { code: "rpc_failed", cause: last });
  }

  async function request(question: Question): Promise<unknown> {
    return resultOf(await askAny([question]), 0);
  }

  let waiting: Question[] = [];
  let sent: Promise<(unknown | NgpuError)[]> | undefined;
  async function requestBatched(question: Question): Promise<unknown> {
    const place = waiting.push(question) - 1;
    sent ??= Promise.resolve().then(() => {
      const questions = waiting;
      waiting = [];
      sent = undefined;
      return askAny(questions);
    });
    return resultOf(await sent, place);
  }

  function startProbes(): void {
    if (urls.length < 2) return;
    const { probeInterval = 5_000, signal } = options;
    const probe = async () => {
      const now = performance.now();
      const due = standings.flatMap(({ restsUntil }, index) =>
        index !== present && restsUntil <= now ? [index] : [],
      );
      const look = { method: byNumber, params: ["latest", false] };
      await Promise.allSettled(due.map((index) => askOne(index, [look])));
    };
    const timer = setInterval(() => void probe(), probeInterval).unref();
    signal?.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  return {
    request,
    batched: { request: requestBatched },
    elsewhere: { request: async (question) => resultOf(await askAny([question], true), 0) },
    distrust: (code) => blame(present, new RetryableError("An endpoint was found at fault.", { code })),
    states: () => {
      const best = standings.reduce((most, { head = 0n }) => (head > most ? head : most), 0n);
      return standings.map((standing, index) => ({
        ...standing,
        name: names[index] as string,
        score: scoreOf(standing, best),
      }));
    },
  };
}

function resultOf(answers: (unknown | NgpuError)[], place: number): unknown {
  const answer = answers[place];
  if (answer instanceof NgpuError) throw answer;
  return answer;
}

function numberOf(block: unknown): bigint | undefined {
  const number = (block as { number?: unknown } | null)?.number;
  return typeof number === "string" && /^0x[0-9a-f]{1,16}$/i.test(number) ? BigInt(number) : undefined;
}
