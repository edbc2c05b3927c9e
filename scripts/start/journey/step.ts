import type { Market } from "../market.ts";
import type { Progress } from "../reporter.ts";
import { persist } from "../waitFor.ts";

/**
 * A step of the journey. Where the market stays up, one that is late or refused is shown as late and tried on; with
 * `--once` it fails, and the journey with it.
 *
 * @param work Is called again after a failure; it does nothing twice that was done.
 */
export function journeyStep<Result>(
  { reporter, options, signal }: Pick<Market, "reporter" | "options" | "signal">,
  [name, title]: [name: string, title: string],
  work: (progress: Progress) => Promise<Result>,
  tell: (result: Result) => string,
): Promise<Result> {
  return reporter.step(
    name,
    title,
    (progress) =>
      options.once ? work((detail) => progress(detail)) : persist(() => work(progress), { signal, progress }),
    tell,
  );
}

/** Work that is tried again until it succeeds, and then is not done again. */
export function untilDone<Args extends unknown[], Result>(
  work: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  let done: { result: Result } | undefined;
  return async (...args) => {
    done ??= { result: await work(...args) };
    return done.result;
  };
}
