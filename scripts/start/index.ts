// `npm start`: the whole market on this machine. See README.md.
import { join } from "node:path";
import { FatalError } from "../../services/shared/errors.ts";
import { toJson } from "../../services/shared/json.ts";
import { explain } from "../../services/shared/lifecycle.ts";
import { openState } from "../embedded/leftovers.ts";
import { readStartEnv } from "./env.ts";
import { readOptions } from "./options.ts";
import { panel } from "./panel.ts";
import { createReporter, StepFailure } from "./reporter.ts";
import type { JourneyFailure } from "./result.ts";
import { runMarket } from "./run.ts";
import { createStopStack } from "./stack.ts";

const rootDir = join(import.meta.dirname, "../..");

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), rootDir);
  const reporter = createReporter(options.json ? process.stderr : process.stdout);
  const abort = new AbortController();
  const stack = createStopStack(reporter.say);
  const interrupted = Promise.withResolvers<void>();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (!abort.signal.aborted) reporter.say(`${name}: stopping everything.`);
      abort.abort(new FatalError(`Stopped by ${name}.`, { code: "interrupted" }));
      interrupted.resolve();
    });
  }
  let stopping = false;
  const onExit = (program: string, how: string | number | null) => {
    if (stopping) return;
    const fault = new FatalError(`${program} ended by itself (${how}).`, {
      code: "program_ended",
      hint: `Its log is ${join(options.stateDir, "logs", `${program}.log`)}.`,
    });
    reporter.say(explain(fault));
    abort.abort(fault);
    interrupted.reject(fault);
  };
  interrupted.promise.catch(() => undefined);
  let exitCode = 0;
  try {
    const state = await openState(options.stateDir);
    stack.push("state", async () => state.release());
    if (state.stopped.length > 0)
      reporter.say(`Stopped what a killed run had left: ${state.stopped.join(", ")}.`);
    const journey = await runMarket({
      ...{ rootDir, options, reporter, onExit },
      env: readStartEnv(),
      signal: abort.signal,
      onStop: stack.push,
    });
    if (!options.once) {
      reporter.say(panel({ ...journey, stateDir: options.stateDir }));
      await interrupted.promise;
    }
    stopping = true;
    await stack.stopAll();
    if (options.json) process.stdout.write(`${toJson(journey.result)}\n`);
  } catch (error) {
    stopping = true;
    exitCode = 1;
    await stack.stopAll();
    const failure = failureOf(error, abort.signal, reporter.timings);
    reporter.say(`${failure.failedStep}: ${failure.error}`);
    if (options.json) process.stdout.write(`${toJson(failure)}\n`);
  }
  return exitCode;
}

/** The step that failed and the deepest thing worth saying about it. */
function failureOf(error: unknown, signal: AbortSignal, steps: JourneyFailure["steps"]): JourneyFailure {
  const step = error instanceof StepFailure ? error.step : "start";
  // What made the whole market stop says more than the step it interrupted.
  const cause = signal.aborted ? signal.reason : error instanceof StepFailure ? error.cause : error;
  return { ok: false, failedStep: step, error: explain(cause), steps };
}

process.exit(await main());
