import { FatalError } from "@ngpu/runtime/errors";

export type Interrupts = {
  /** Aborted by the first signal, or by `fail`. */
  signal: AbortSignal;
  /** Resolves after a signal, rejects with the error passed to `fail`. */
  ended: Promise<void>;
  /** Stops the market because of an error. */
  fail(failure: FatalError): void;
};

/**
 * Handles signals. The first one stops everything, a second Ctrl-C kills what still runs, a third exits immediately.
 * Only SIGINT is counted, because npm and the bootstrap forward the other signals more than once.
 */
export function watchInterrupts(options: { print: (line: string) => void; kill: () => void }): Interrupts {
  const abort = new AbortController();
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  let typed = 0;
  // The message names no signal: the bootstrap forwards Ctrl-C as SIGTERM, which may arrive before SIGINT.
  const stop = () => {
    if (!abort.signal.aborted) {
      options.print("Stopping everything. Press Ctrl-C again to kill what is still running.");
      abort.abort(
        new FatalError("Interrupted.", { code: "start_interrupted", hint: "Start again to continue." }),
      );
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
