import { setTimeout as sleep } from "node:timers/promises";
import { FatalError } from "../../services/shared/errors.ts";

/**
 * Asks again and again until there is an answer.
 *
 * @param ask Answers undefined while it is too early; a throw ends the wait.
 * @throws FatalError `wait_timed_out` after `seconds`, saying what was waited for.
 */
export async function waitFor<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined>,
  options: { signal: AbortSignal; seconds: number; everyMs?: number; why?: () => Promise<string> },
): Promise<Answer> {
  const deadline = Date.now() + options.seconds * 1000;
  for (;;) {
    options.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) {
      const why = options.why === undefined ? "" : ` ${await options.why()}`;
      throw new FatalError(`Waited ${options.seconds} s for ${what}.${why}`, {
        code: "wait_timed_out",
        hint: "The logs of every service stand in .ngpu/logs.",
      });
    }
    await sleep(options.everyMs ?? 200, undefined, { signal: options.signal });
  }
}
