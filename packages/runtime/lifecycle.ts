import { messageOf, NgpuError } from "./errors.ts";
import { createLogger, type Logger } from "./logger.ts";
import { version } from "./version.ts";

/** What a service gets to run with. */
export type ServiceContext = {
  logger: Logger;
  /** Aborted when the service must stop. */
  signal: AbortSignal;
  /** Registers what to undo at the end; run in reverse order. */
  onStop(name: string, undo: () => Promise<void> | void): void;
  /** Stops the whole process because `error` cannot be got over. */
  fail(error: unknown): void;
};

export type ServiceOptions = {
  name: string;
  logLevel: string;
  /** Milliseconds between the order to stop and the forced end. */
  stopDeadline?: number;
};

/**
 * Runs a service until SIGTERM, SIGINT or a fatal error; then drains what it registered and exits.
 * Exit code 0 after an ordered stop, 1 after a fault. A fault of the start is one plain message on stderr, a later one
 * is logged.
 */
export async function runService(
  options: ServiceOptions,
  main: (context: ServiceContext) => Promise<void>,
): Promise<void> {
  const logger = createLogger(options.name, options.logLevel);
  const abort = new AbortController();
  const undos: { name: string; undo: () => Promise<void> | void }[] = [];
  let exitCode = 0;
  const ended = Promise.withResolvers<void>();
  const stop = (reason: string) => {
    if (abort.signal.aborted) return;
    logger.info({ event: "service_stopping", reason });
    abort.abort(new Error(`${options.name} is stopping: ${reason}`));
    ended.resolve();
  };
  let started = false;
  const fail = (error: unknown) => {
    exitCode = 1;
    // What is none of ours has a stack worth keeping.
    if (started || !(error instanceof NgpuError)) logger.error({ event: "service_failed", error });
    if (!started && !abort.signal.aborted) process.stderr.write(`${explain(error)}\n`);
    stop("error");
  };
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGINT", () => stop("SIGINT"));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    await main({ logger, signal: abort.signal, fail, onStop: (name, undo) => undos.push({ name, undo }) });
    started = true;
    logger.info({ event: "service_started", version });
    await ended.promise;
  } catch (error) {
    // A start that was broken off by the order to stop has no fault.
    if (!abort.signal.aborted) fail(error);
  }
  setTimeout(() => {
    logger.error({ event: "service_stop_forced", waitedMs: options.stopDeadline ?? 10_000 });
    process.exit(1);
  }, options.stopDeadline ?? 10_000);
  for (const { name, undo } of undos.reverse()) {
    try {
      await undo();
    } catch (error) {
      logger.warn({ event: "service_stop_step_failed", step: name, error });
    }
  }
  logger.info({ event: "service_stopped" });
  process.exit(exitCode);
}

/** The one clear message of a start-up fault, with what to do about it. */
export function explain(error: unknown): string {
  const hint = error instanceof NgpuError && error.hint !== undefined ? `\n${error.hint}` : "";
  return `${messageOf(error)}${hint}`;
}

/**
 * Runs the start of a program that reads its environment; a fault there is one message on stderr and exit code 1.
 * With `--version` it only prints the version.
 */
export async function start(program: () => Promise<void>): Promise<void> {
  if (process.argv[2] === "--version") {
    process.stdout.write(`${version}\n`);
    return;
  }
  try {
    await program();
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(1);
  }
}
