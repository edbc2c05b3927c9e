import { FatalError } from "@ngpu/runtime/errors";

export type Interrupts = {
  /** Aborted by the first signal, or by `fail`. */
  signal: AbortSignal;
  /** Resolves when a signal came, rejects with what `fail` was given. */
  ended: Promise<void>;
  /** Stops the market because of a fault. */
  fail(failure: FatalError): void;
};

/**
 * Turns signals into one end: the first asks everything to stop, a second Ctrl-C kills what is slow about it, a third
 * does not wait any longer. Only SIGINT counts up: npm and the bootstrap pass the others on more than once.
 */
export function watchInterrupts(options: { print: (line: string) => void; kill: () => void }): Interrupts {
  const abort = new AbortController();
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  let typed = 0;
  // Not named: the bootstrap passes Ctrl-C on as SIGTERM, which may well come before the terminal's own SIGINT.
  const stop = () => {
    if (!abort.signal.aborted) {
      options.print("Stopping everything. Press Ctrl-C again to kill what is still running.");
      abort.abort(new FatalError("Interrupted.", { code: "interrupted" }));
    }
    ended.resolve();
  };
  process.on("SIGINT", () => {
    typed += 1;
    if (typed === 2) options.print("Killing what is still running.");
    if (typed >= 2) options.kill();
    if (typed >= 3) process.exit(130);
    stop();
  });
  for (const name of ["SIGTERM", "SIGHUP"] as const) process.on(name, stop);
  return {
    signal: abort.signal,
    ended: ended.promise,
    fail: (failure) => {
      abort.abort(failure);
      ended.reject(failure);
    },
  };
}
