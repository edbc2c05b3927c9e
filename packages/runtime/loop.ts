import { setTimeout as sleep } from "node:timers/promises";
import { isRetryable } from "./errors.ts";
import type { Logger } from "./logger.ts";

export type LoopOptions = {
  name: string;
  logger: Logger;
  signal: AbortSignal;
  /** Milliseconds between rounds unless the loop is woken. */
  interval: number;
};

export type Loop = {
  /** Starts a round now, or as soon as the current one has ended. */
  wake(): void;
  /** Resolves when the loop has ended. */
  done: Promise<void>;
};

/**
 * Runs `round` repeatedly: at each wake and at least every `interval`, one round at a time.
 * A round that throws is logged and retried after a pause that doubles up to 10 s.
 */
export function startLoop(options: LoopOptions, round: (signal: AbortSignal) => Promise<void>): Loop {
  let woken = true;
  let wakeUp = Promise.withResolvers<void>();
  const wake = () => {
    woken = true;
    wakeUp.resolve();
  };
  const run = async () => {
    let failures = 0;
    while (!options.signal.aborted) {
      woken = false;
      wakeUp = Promise.withResolvers<void>();
      let pause = options.interval;
      try {
        await round(options.signal);
        failures = 0;
      } catch (error) {
        if (options.signal.aborted) return;
        failures += 1;
        pause = Math.min(10_000, 100 * 2 ** failures);
        options.logger.warn({
          event: "loop_round_failed",
          loop: options.name,
          error,
          failures,
          retryable: isRetryable(error),
        });
        await rest(pause, options.signal);
        continue;
      }
      if (!woken) await Promise.race([wakeUp.promise, rest(pause, options.signal)]);
    }
  };
  return { wake, done: run() };
}

/** Waits. Resolves early, without an error, when the signal is aborted. */
export async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal, ref: false });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
