import { setTimeout as sleep } from "node:timers/promises";
import { FatalError, isRetryable, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { ask, type Question } from "./ask.ts";
import { answered, failed, newcomer, orderOf, type Standing } from "./score.ts";

/** The endpoints of one chain, and how each has done so far. */
export type Group = {
  urls: readonly string[];
  /** Milliseconds for an answer. */
  deadline: number;
  onFault: ((endpoint: string, code: string) => void) | undefined;
  names: readonly string[];
  standings: Standing[];
  /** The place of the one in use. */
  present: number;
};

type Answers = (unknown | NgpuError)[];

export const byNumber = "eth_getBlockByNumber";
// An endpoint is not at fault when a question asks too much of it.
const innocent = new Set(["rpc_limit"]);
// A further round over all endpoints after a pause, as a single dropped connection is no fault worth telling.
const rounds = 2;
const pauseMs = 150;

/** What a round over the endpoints came to without an answer that no other endpoint could better. */
type Unanswered = { last: unknown; without: Answers | undefined; lacking: FatalError[] };

/**
 * Asks one endpoint after another until none of the answers is a fault that another endpoint may not have.
 *
 * @param options.otherFirst Any other than the best one is asked first.
 */
export async function askAny(
  group: Group,
  questions: readonly Question[],
  { otherFirst = false } = {},
): Promise<Answers> {
  let last: unknown;
  // One endpoint may not have a block yet that another has.
  let without: Answers | undefined;
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await sleep(pauseMs);
    const outcome = await askEach(group, questions, otherFirst);
    if (Array.isArray(outcome)) return outcome;
    last = outcome.last ?? last;
    without = outcome.without ?? without;
    if (without !== undefined) return without;
    // Fatal only when every endpoint lacks it.
    if (outcome.lacking.length === group.urls.length) throw outcome.lacking[0];
  }
  throw isRetryable(last)
    ? last
    : new RetryableError("No endpoint answers.", { code: "rpc_failed", cause: last });
}

async function askEach(
  group: Group,
  questions: readonly Question[],
  otherFirst: boolean,
): Promise<Answers | Unanswered> {
  const unanswered: Unanswered = { last: undefined, without: undefined, lacking: [] };
  const order = orderOf(group.standings, group.present, performance.now());
  if (otherFirst) order.push(...order.splice(0, 1));
  for (const index of order) {
    try {
      const answers = await askOne(group, index, questions);
      const fault = answers.find((answer) => answer instanceof NgpuError && !innocent.has(answer.code));
      if (fault === undefined && !lacksBlock(questions, answers)) {
        if (!otherFirst) group.present = index;
        return answers;
      }
      if (fault === undefined) unanswered.without = answers;
      else {
        unanswered.last = fault;
        if (fault instanceof FatalError) unanswered.lacking.push(fault);
      }
    } catch (error) {
      unanswered.last = error;
      if (error instanceof NgpuError && innocent.has(error.code)) throw error;
    }
  }
  return unanswered;
}

function lacksBlock(questions: readonly Question[], answers: Answers): boolean {
  return answers.some((answer, place) => answer === null && questions[place]?.method === byNumber);
}

/** Asks one endpoint and notes how it did. */
export async function askOne(group: Group, index: number, questions: readonly Question[]): Promise<Answers> {
  const since = performance.now();
  try {
    const answers = await ask(group.urls[index] as string, questions, group.deadline);
    const fault = answers.find((answer) => answer instanceof NgpuError);
    if (fault instanceof NgpuError) blame(group, index, fault);
    else praise(group, index, performance.now() - since, { questions, answers });
    return answers;
  } catch (error) {
    blame(group, index, error);
    throw error;
  }
}

/** Notes a fault of an endpoint. */
export function blame({ names, standings, onFault }: Group, index: number, error: unknown): void {
  const code = error instanceof NgpuError ? error.code : "rpc_failed";
  onFault?.(names[index] as string, code);
  if (!innocent.has(code)) standings[index] = failed(standings[index] ?? newcomer, performance.now());
}

function praise(
  { standings }: Group,
  index: number,
  milliseconds: number,
  { questions, answers }: { questions: readonly Question[]; answers: Answers },
): void {
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

function numberOf(block: unknown): bigint | undefined {
  const number = (block as { number?: unknown } | null)?.number;
  return typeof number === "string" && /^0x[0-9a-f]{1,16}$/i.test(number) ? BigInt(number) : undefined;
}
