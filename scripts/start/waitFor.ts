import { setTimeout as sleep } from "node:timers/promises";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { measurePace, pace, paceNote } from "../embedded/pace.ts";
import type { Progress } from "./reporter.ts";

const progressMs = 1_000;
const longestRestMs = 30_000;

export type Waiting = {
  signal: AbortSignal;
  /** The deadline on the machine that it was set for; a slower one gets longer. */
  seconds: number;
  logsDir: string;
  progress: Progress;
  everyMs?: number;
  /** What there is to be seen so far: shown as progress, and when the time is over. */
  describeState?: () => Promise<string>;
};

/**
 * Asks again and again until there is an answer. After the deadline the wait goes on, shown as late, where the step can
 * be late; else it fails.
 *
 * @param ask Answers undefined while it is too early; a throw counts as too early, too.
 * @throws FatalError `wait_timed_out`, saying what was waited for.
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

/** A machine that has become slower since it was measured gets longer. */
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
    `Waited for ${what}: not there after ${after}.${seen === "" ? "" : ` Last seen: ${seen}.`}`,
    {
      code: "wait_timed_out",
      hint: `The log of every program is in ${options.logsDir}.`,
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
  /** How to wait between tries. */
  rest?: (ms: number, signal: AbortSignal) => Promise<void>;
};

/** Does the work until it succeeds: each failure is shown as a reason to be late, and it is tried again, ever more rarely. */
export async function persist<Result>(
  work: () => Promise<Result>,
  { signal, progress, rest = (ms, until) => sleep(ms, undefined, { signal: until }) }: Persistence,
): Promise<Result> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (isMistake(error)) throw error;
      const ms = Math.min(longestRestMs, 1_000 * 2 ** tries);
      progress.late?.(`${firstLine(error)}; tried again in ${ms / 1000} s`);
      await rest(ms, signal);
    }
  }
}

/** A mistake in this program stays one, however often it is tried. */
function isMistake(error: unknown): boolean {
  if (error instanceof ReferenceError || error instanceof SyntaxError || error instanceof RangeError)
    return true;
  // What fetch throws has a cause.
  return error instanceof TypeError && error.cause === undefined;
}

/** What `work` gives, unless the signal is aborted first; for reads that leave nothing behind when they are left. */
export async function unlessAborted<Answer>(signal: AbortSignal, work: Promise<Answer>): Promise<Answer> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  // Whichever comes second has been told by the first.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
