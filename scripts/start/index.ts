// `npm start`: the whole market on this machine. See README.md.
import { join } from "node:path";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { explain } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";
import { openState } from "../embedded/leftovers.ts";
import { killRunning } from "../embedded/process.ts";
import { readStartEnv } from "./env.ts";
import { type Interrupts, watchInterrupts } from "./interrupts.ts";
import { readOptions, type StartOptions } from "./options.ts";
import { panel } from "./panel.ts";
import { createReporter, type Reporter, StepFailure, stopStep } from "./reporter.ts";
import type { JourneyFailure } from "./result.ts";
import { runMarket } from "./run.ts";
import { createStopStack } from "./stack.ts";

const rootDir = join(import.meta.dirname, "../..");
const argv = process.argv.slice(2);
const json = argv.includes("--json");
const out = json ? process.stderr : process.stdout;

type StopStack = ReturnType<typeof createStopStack>;

async function main(): Promise<number> {
  let interrupts: Interrupts | undefined;
  const reporter = createReporter(out, () => interrupts?.signal);
  interrupts = watchInterrupts({ say: reporter.say, kill: killRunning });
  stopWithoutReader(interrupts);
  stopOnMistake(interrupts);
  const stack = createStopStack();
  try {
    const options = await reporter.check("options", async () => readOptions(argv, rootDir));
    if (options === undefined) return 0;
    reporter.say(`ngpu ${version}`);
    return await run(options, { reporter, interrupts, stack });
  } catch (error) {
    const faults = await stopAll(stack, reporter);
    const failure = failureOf(error, interrupts.signal, reporter.timings);
    reporter.say([`${failure.failedStep}: ${failure.error}`, ...faults].join("\n"));
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
    reporter.say(`Stopped what a killed run had left: ${state.stopped.join(", ")}.`);
  let stopping = false;
  const onExit = (program: string, how: string | number | null) => {
    if (stopping || interrupts.signal.aborted) return;
    const fault = new FatalError(`${program} ended by itself (${how}).`, {
      code: "program_ended",
      hint: `Its log is ${join(options.stateDir, "logs", `${program}.log`)}.`,
    });
    interrupts.fail(fault);
  };
  let journey: Awaited<ReturnType<typeof runMarket>>;
  try {
    journey = await runMarket({
      ...{ rootDir, options, env, reporter, onExit, onStop: stack.push },
      signal: interrupts.signal,
    });
  } catch (error) {
    // What ends from here on is being stopped, and not the reason.
    stopping = true;
    throw error;
  }
  if (!options.once) {
    reporter.say(panel({ ...journey, stateDir: options.stateDir }));
    if (json) process.stdout.write(`${toJson(journey.result)}\n`);
    await interrupts.ended;
  }
  stopping = true;
  const faults = await stopAll(stack, reporter);
  if (faults.length > 0)
    throw new StepFailure(stopStep, new FatalError(faults.join("\n"), { code: "stop_failed" }));
  if (json && options.once) process.stdout.write(`${toJson(journey.result)}\n`);
  return 0;
}

/** Stops what was started, shown as a step of its own; gives what did not stop cleanly. */
async function stopAll(stack: StopStack, reporter: Reporter): Promise<string[]> {
  if (stack.isEmpty()) return [];
  return reporter.step(
    stopStep,
    "Everything stopped",
    (progress) => stack.stopAll(progress),
    (faults) => (faults.length === 0 ? "" : `${faults.length} not cleanly`),
  );
}

/** The step that failed and the deepest thing worth saying about it. */
function failureOf(error: unknown, signal: AbortSignal, steps: JourneyFailure["steps"]): JourneyFailure {
  const failedStep = error instanceof StepFailure ? error.step : "start";
  // What made the whole market stop says more than the step it interrupted.
  const cause = signal.aborted ? signal.reason : error instanceof StepFailure ? error.cause : error;
  return { ok: false, failedStep, error: explain(cause), steps };
}

/** A terminal that is closed, or `| head`, leaves nobody to read: that ends the market like Ctrl-C. */
function stopWithoutReader(interrupts: Interrupts): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      interrupts.fail(
        new FatalError(`Nobody reads the output: ${messageOf(error)}`, { code: "output_closed" }),
      );
    });
  }
}

/** A mistake of ours that nobody awaits still stops everything in order. */
function stopOnMistake(interrupts: Interrupts): void {
  const fail = (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    interrupts.fail(new FatalError(text, { code: "unexpected", cause: error }));
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}

process.exit(await main());
