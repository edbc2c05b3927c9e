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
  /** Stops the process in an orderly way, with another exit code than 0. */
  exit(reason: string, exitCode: number): void;
};

/** @deadline The steps of a service when it stops. The process exits. */
const defaultStopDeadline = 10_000;

export type ServiceOptions = {
  name: string;
  logLevel: string;
  /** Milliseconds between the stop signal and the forced exit. Default 10,000. */
  stopDeadline?: number;
};

type StopStep = { name: string; undo: () => Promise<void> | void };

/** The state of a running service. */
type Run = {
  name: string;
  logger: Logger;
  abort: AbortController;
  ended: PromiseWithResolvers<void>;
  isStarted: boolean;
  exitCode: number;
};

/**
 * Runs a service until SIGTERM, SIGINT or a fatal error, then runs the registered shutdown steps and exits.
 * The exit code is 0 after an orderly stop, unless `exit` gave another, and 1 after an error. A startup error is one plain message on stderr; a
 * later error is logged.
 */
export async function runService(
  options: ServiceOptions,
  main: (context: ServiceContext) => Promise<void>,
): Promise<void> {
  const { name, logLevel, stopDeadline = defaultStopDeadline } = options;
  const logger = createLogger(name, logLevel);
  const abort = new AbortController();
  const ended = Promise.withResolvers<void>();
  const run: Run = { name, logger, abort, ended, isStarted: false, exitCode: 0 };
  const fail = (error: unknown) => failRun(run, error);
  const steps: StopStep[] = [];
  process.once("SIGTERM", () => stopRun(run, "SIGTERM"));
  process.once("SIGINT", () => stopRun(run, "SIGINT"));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    await main({
      logger,
      signal: abort.signal,
      fail,
      exit: (reason, exitCode) => {
        run.exitCode = exitCode;
        stopRun(run, reason);
      },
      onStop: (step, undo) => steps.push({ name: step, undo }),
    });
    run.isStarted = true;
    logger.info({ event: "service_started", version });
    await ended.promise;
  } catch (error) {
    // A start interrupted by a stop signal is not an error.
    if (!abort.signal.aborted) fail(error);
  }
  forceExitAfter(stopDeadline, logger);
  await undoAll(steps, logger);
  logger.info({ event: "service_stopped" });
  process.exit(run.exitCode);
}

function stopRun({ name, logger, abort, ended }: Run, reason: string): void {
  if (abort.signal.aborted) return;
  logger.info({ event: "service_stopping", reason });
  abort.abort(new Error(`${name} is stopping: ${reason}`));
  ended.resolve();
}

function failRun(run: Run, error: unknown): void {
  run.exitCode = 1;
  // An error of another class is unexpected: its stack goes to the log.
  if (run.isStarted || !(error instanceof NgpuError)) run.logger.error({ event: "service_failed", error });
  if (!run.isStarted && !run.abort.signal.aborted) process.stderr.write(`${explain(error)}\n`);
  stopRun(run, "error");
}

function forceExitAfter(milliseconds: number, logger: Logger): void {
  setTimeout(() => {
    logger.error({ event: "service_stop_forced", waitedMs: milliseconds });
    process.exit(1);
  }, milliseconds);
}

/** Runs the shutdown steps in reverse order. A step that fails does not keep the others from running. */
async function undoAll(steps: StopStep[], logger: Logger): Promise<void> {
  // In place: a step that is registered while the others run is run after them.
  for (const { name, undo } of steps.reverse()) {
    try {
      await undo();
    } catch (error) {
      logger.warn({ event: "service_stop_step_failed", step: name, error });
    }
  }
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
