import { setTimeout as sleep } from "node:timers/promises";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { measurePace, pace, paceNote } from "../embedded/pace.ts";
import type { Progress } from "./reporter.ts";

const progressMs = 1_000;
const longestRestMs = 30_000;

export type Waiting = {
  signal: AbortSignal;
  /** Deadline on the reference machine; it is longer on a slower one. */
  seconds: number;
  logsDir: string;
  progress: Progress;
  everyMs?: number;
  /** The current state, shown as progress and in the timeout error. */
  describeState?: () => Promise<string>;
};

/**
 * Polls until there is a result. After the deadline it continues and is shown as late if the step can be late;
 * otherwise it fails.
 *
 * @param ask Returns undefined while it is too early. An error counts as too early.
 * @throws FatalError `wait_timeout` with what it waited for.
 */
export async function waitFor<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined>,
  options: Waiting,
): Promise<Answer> {
  const { signal, progress } = options;
  const began = performance.now();
  let lastProgressAt = 0;
  let isLate = false;
  let error: unknown;
  progress(`waiting for ${what}`);
  for (;;) {
    signal.throwIfAborted();
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      error = undefined;
    } catch (thrown) {
      signal.throwIfAborted();
      error = thrown;
    }
    isLate ||= await isOver(began, options.seconds);
    if (isLate && progress.late === undefined) throw await timedOut(what, began, error, options);
    if (performance.now() - lastProgressAt > progressMs) {
      lastProgressAt = performance.now();
      const seen = [`waiting for ${what}`, await seenSoFar(options.describeState, error)]
        .filter(Boolean)
        .join(": ");
      if (isLate) progress.late?.(seen);
      else progress(seen);
    }
    await sleep(options.everyMs ?? 200, undefined, { signal });
  }
}

/** Measures the machine's pace again first: a machine that has become slower gets more time. */
async function isOver(began: number, seconds: number): Promise<boolean> {
  const isPast = () => performance.now() - began > seconds * 1000 * pace();
  if (!isPast()) return false;
  await measurePace();
  return isPast();
}

async function timedOut(what: string, began: number, error: unknown, options: Waiting): Promise<FatalError> {
  const seen = await seenSoFar(options.describeState, error);
  const after = `${Math.round((performance.now() - began) / 1000)} s${paceNote()}`;
  return new FatalError(
    `Timed out waiting for ${what} after ${after}.${seen === "" ? "" : ` Last seen: ${seen}.`}`,
    {
      code: "wait_timeout",
      hint: `See the programs' logs in ${options.logsDir}.`,
      cause: error,
    },
  );
}

async function seenSoFar(describeState: Waiting["describeState"], error: unknown): Promise<string> {
  if (error !== undefined) return firstLine(error);
  try {
    return (await describeState?.()) ?? "";
  } catch (thrown) {
    return firstLine(thrown);
  }
}

function firstLine(error: unknown): string {
  return (messageOf(error).split("\n")[0] ?? "").replace(/[.:]$/, "");
}

export type Persistence = {
  signal: AbortSignal;
  progress: Progress;
  /** Waits between attempts. */
  rest?: (ms: number, signal: AbortSignal) => Promise<void>;
};

/** Repeats the work until it succeeds, with growing pauses. Each failure is shown as the reason of the delay. */
export async function persist<Result>(
  work: () => Promise<Result>,
  { signal, progress, rest = (ms, until) => sleep(ms, undefined, { signal: until }) }: Persistence,
): Promise<Result> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (isProgrammingError(error)) throw error;
      const ms = Math.min(longestRestMs, 1_000 * 2 ** tries);
      progress.late?.(`${firstLine(error)}; retried in ${ms / 1000} s`);
      await rest(ms, signal);
    }
  }
}

/** A programming error is not retried. */
function isProgrammingError(error: unknown): boolean {
  if (error instanceof ReferenceError || error instanceof SyntaxError || error instanceof RangeError)
    return true;
  // Errors of fetch have a cause.
  return error instanceof TypeError && error.cause === undefined;
}

/** The result of `work`, unless the signal is aborted first. For reads that can be abandoned. */
export async function unlessAborted<Answer>(signal: AbortSignal, work: Promise<Answer>): Promise<Answer> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  // The loser of the race must not be an unhandled rejection.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
