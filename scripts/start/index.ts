// `npm start`: the whole market on this machine. See README.md.
import { join } from "node:path";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { explain } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";
import { openState } from "../embedded/leftovers.ts";
import { measurePace } from "../embedded/pace.ts";
import { killRunning } from "../embedded/processGroup.ts";
import { readStartEnv } from "./env.ts";
import { type Interrupts, watchInterrupts } from "./interrupts.ts";
import { readOptions, type StartOptions } from "./options.ts";
import { panel } from "./panel.ts";
import { createReporter, type Reporter, StepFailure, stopStep } from "./reporter.ts";
import type { JourneyFailure, JourneyResult } from "./result.ts";
import type { RunContext, Up } from "./run.ts";
import { createStopStack } from "./stack.ts";

const rootDir = join(import.meta.dirname, "../..");
const argv = process.argv.slice(2);
const json = argv.includes("--json");
const out = json ? process.stderr : process.stdout;

type StopStack = ReturnType<typeof createStopStack>;

async function main(): Promise<number> {
  let interrupts: Interrupts | undefined;
  const reporter = createReporter(out, () => interrupts?.signal);
  interrupts = watchInterrupts({ print: reporter.print, kill: killRunning });
  stopWithoutReader(interrupts);
  stopOnUnhandled(interrupts);
  const stack = createStopStack();
  try {
    const options = await reporter.check("options", async () => readOptions(argv, rootDir));
    if (options === undefined) return 0;
    reporter.print(`ngpu ${version}`);
    return await run(options, { reporter, interrupts, stack });
  } catch (error) {
    const errors = await stopAll(stack, reporter);
    const failure = failureOf(error, interrupts.signal, reporter.timings);
    reporter.print([`${failure.failedStep}: ${failure.error}`, ...errors].join("\n"));
    if (json) process.stdout.write(`${toJson(failure)}\n`);
    return 1;
  }
}

async function run(
  options: StartOptions,
  { reporter, interrupts, stack }: { reporter: Reporter; interrupts: Interrupts; stack: StopStack },
): Promise<number> {
  const env = await reporter.check("environment", async () => readStartEnv());
  const state = await reporter.check("state", () => openState(options.stateDir));
  stack.push("state", async () => state.release());
  if (state.stopped.length > 0)
    reporter.print(`Stopped processes left over from a killed run: ${state.stopped.join(", ")}.`);
  await measurePace();
  const stopping = new AbortController();
  const supervision = {
    print: reporter.print,
    signal: AbortSignal.any([interrupts.signal, stopping.signal]),
    ...(options.once ? { onGiveUp: interrupts.fail } : {}),
  };
  let result: JourneyResult | undefined;
  try {
    result = await stayUp(options, interrupts, {
      rootDir,
      options,
      env,
      reporter,
      supervision,
      onStop: stack.push,
      signal: interrupts.signal,
    });
  } finally {
    // From here on, parts that end are not restarted.
    stopping.abort();
  }
  const errors = await stopAll(stack, reporter);
  if (errors.length > 0)
    throw new StepFailure(
      stopStep,
      new FatalError(errors.join("\n"), {
        code: "stop_failed",
        hint: "End the named processes by hand, then start again.",
      }),
    );
  if (json && options.once) process.stdout.write(`${toJson(result)}\n`);
  return 0;
}

/**
 * Runs the journey and, without `--once`, waits for a signal. A signal after the market is up is the ordinary end, even
 * when a step of the journey is late.
 */
async function stayUp(
  options: StartOptions,
  interrupts: Interrupts,
  context: RunContext,
): Promise<JourneyResult | undefined> {
  let isUp = false;
  const onUp = (up: Up) => {
    if (options.once) return;
    isUp = true;
    context.reporter.print(panel({ ...up, stateDir: options.stateDir }));
  };
  let result: JourneyResult | undefined;
  // Loaded after the options and variables are checked, because it loads most packages.
  const { runMarket } = await import("./run.ts");
  try {
    ({ result } = await runMarket({ ...context, onUp }));
  } catch (error) {
    if (!isUp || !interrupts.signal.aborted) throw error;
  }
  if (options.once) return result;
  if (json && result !== undefined) process.stdout.write(`${toJson(result)}\n`);
  await interrupts.ended;
  return result;
}

/** Stops everything that was started, as a step of its own. Returns one line for each part that did not stop cleanly. */
async function stopAll(stack: StopStack, reporter: Reporter): Promise<string[]> {
  if (stack.isEmpty()) return [];
  return reporter.step(
    stopStep,
    "Everything stopped",
    (progress) => stack.stopAll(progress),
    (errors) => (errors.length === 0 ? "" : `${errors.length} not cleanly`),
  );
}

/** The failed step and its most specific error. */
function failureOf(error: unknown, signal: AbortSignal, steps: JourneyFailure["steps"]): JourneyFailure {
  const failedStep = error instanceof StepFailure ? error.step : "start";
  // The reason that stopped the market is more specific than the step it interrupted.
  const cause = signal.aborted ? signal.reason : error instanceof StepFailure ? error.cause : error;
  return { ok: false, failedStep, error: explain(cause), steps };
}

/** A closed terminal, or `| head`, ends the market like Ctrl-C. */
function stopWithoutReader(interrupts: Interrupts): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      interrupts.fail(
        new FatalError(`The output was closed: ${messageOf(error)}`, {
          code: "output_closed",
          hint: "Start again with an output that stays open, such as a file.",
        }),
      );
    });
  }
}

/** An unhandled error of this program still stops everything in order. */
function stopOnUnhandled(interrupts: Interrupts): void {
  const fail = (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    interrupts.fail(
      new FatalError(text, {
        code: "internal_error",
        hint: "Start again. If it recurs, report it with the logs in .ngpu/logs.",
        cause: error,
      }),
    );
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}

process.exit(await main());
