import { setTimeout as sleep } from "node:timers/promises";
import { FatalError } from "@ngpu/runtime/errors";
import type { Progress } from "./reporter.ts";

const tellMs = 1_000;

/**
 * Asks again and again until there is an answer.
 *
 * @param ask Answers undefined while it is too early; a throw ends the wait.
 * @param options.seeing What there is to be seen so far: told as progress, and when the time is over.
 * @throws FatalError `wait_timed_out` after `seconds`, saying what was waited for.
 */
export async function waitFor<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined>,
  options: {
    signal: AbortSignal;
    seconds: number;
    logsDir: string;
    progress: Progress;
    everyMs?: number;
    seeing?: () => Promise<string>;
  },
): Promise<Answer> {
  const { signal, progress, seeing } = options;
  const deadline = Date.now() + options.seconds * 1000;
  let told = 0;
  progress(`waiting for ${what}`);
  for (;;) {
    signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) {
      const seen = seeing === undefined ? "" : ` Last seen: ${await seeing()}.`;
      throw new FatalError(`Waited ${options.seconds} s for ${what}.${seen}`, {
        code: "wait_timed_out",
        hint: `The log of every program stands in ${options.logsDir}.`,
      });
    }
    if (seeing !== undefined && Date.now() - told > tellMs) {
      told = Date.now();
      progress(`waiting for ${what}: ${await seeing()}`);
    }
    await sleep(options.everyMs ?? 200, undefined, { signal });
  }
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
