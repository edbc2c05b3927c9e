import { messageOf, NgpuError } from "./errors.ts";
import { createLogger, type Logger } from "./logger.ts";
import { version } from "./version.ts";

/** What `runService` passes to a service. */
export type ServiceContext = {
  logger: Logger;
  /** Aborted when the service must stop. */
  signal: AbortSignal;
  /** Registers a shutdown step; steps run in reverse order. */
  onStop(name: string, undo: () => Promise<void> | void): void;
  /** Stops the process with exit code 1 because of an unrecoverable error. */
  fail(error: unknown): void;
};

export type ServiceOptions = {
  name: string;
  logLevel: string;
  /** Milliseconds between the stop signal and the forced exit. Default 10,000. */
  stopDeadline?: number;
};

/**
 * Runs a service until SIGTERM, SIGINT or a fatal error, then runs the registered shutdown steps and exits.
 * The exit code is 0 after an orderly stop and 1 after an error. A startup error is one plain message on stderr; a
 * later error is logged.
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
    // An error of another class is unexpected: its stack goes to the log.
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
    // A start interrupted by a stop signal is not an error.
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

/** The message of a startup error, followed by its hint. */
export function explain(error: unknown): string {
  const hint = error instanceof NgpuError ? `\n${error.hint}` : "";
  return `${messageOf(error)}${hint}`;
}

/**
 * Runs a program. An error is one message on stderr and exit code 1.
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
