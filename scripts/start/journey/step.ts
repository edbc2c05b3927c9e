import type { Market } from "../market.ts";
import type { Progress } from "../reporter.ts";
import { persist } from "../waitFor.ts";

/**
 * A step of the journey. In a market that stays up, a step that fails or is late is shown as late and repeated. With
 * `--once` it fails, and with it the journey.
 *
 * @param work Is called again after a failure. It must not repeat work that is done.
 */
export function journeyStep<Result>(
  { reporter, options, signal }: Pick<Market, "reporter" | "options" | "signal">,
  [name, title]: [name: string, title: string],
  work: (progress: Progress) => Promise<Result>,
  summarize: (result: Result) => string,
): Promise<Result> {
  return reporter.step(
    name,
    title,
    (progress) =>
      options.once ? work((detail) => progress(detail)) : persist(() => work(progress), { signal, progress }),
    summarize,
  );
}

/** Wraps work so that it runs until its first success; later calls return that result. */
export function untilDone<Args extends unknown[], Result>(
  work: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  let done: { result: Result } | undefined;
  return async (...args) => {
    done ??= { result: await work(...args) };
    return done.result;
  };
}
