import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { openState } from "../../../scripts/embedded/leftovers.ts";
import { killRunning } from "../../../scripts/embedded/processGroup.ts";
import { readStartEnv } from "../../../scripts/start/env.ts";
import { watchInterrupts } from "../../../scripts/start/interrupts.ts";
import { type Api, createApi } from "../../../scripts/start/journey/api.ts";
import { readOptions } from "../../../scripts/start/options.ts";
import { createReporter } from "../../../scripts/start/reporter.ts";
import { runMarket } from "../../../scripts/start/run.ts";
import { createStopStack } from "../../../scripts/start/stack.ts";
import { rootDir } from "../../support/parts.ts";

export type BenchMarket = {
  api: Api;
  apiUrl: string;
  signal: AbortSignal;
  stateDir: string;
  dockerSocket: string;
  /** Prints progress on stderr. */
  print: (line: string) => void;
  /** The image of the journey's workspace on this machine: reference@digest. */
  image: string;
  /** Registers what to stop before the market. */
  onStop: (name: string, stop: () => Promise<void>) => void;
  stop: () => Promise<void>;
};

/** Starts the market as `npm start` does and runs its journey. Prints its steps on stderr. */
export async function startMarket(): Promise<BenchMarket> {
  const stateDir = join(rootDir, ".ngpu/bench/lifecycle");
  const options = readOptions(["--state-dir", stateDir], rootDir);
  if (options === undefined) throw new Error("The options ask for no help.");
  let signal: AbortSignal | undefined;
  const reporter = createReporter(process.stderr, () => signal);
  const interrupts = watchInterrupts({ print: reporter.print, kill: killRunning });
  signal = interrupts.signal;
  const stack = createStopStack();
  const stopping = new AbortController();
  const stop = async () => {
    stopping.abort();
    const errors = await stack.stopAll(() => undefined);
    if (errors.length > 0)
      throw new FatalError(errors.join("\n"), {
        code: "stop_failed",
        hint: "End the named processes by hand.",
      });
  };
  try {
    const state = await openState(stateDir);
    stack.push("state", async () => state.release());
    const supervision = {
      print: reporter.print,
      signal: AbortSignal.any([interrupts.signal, stopping.signal]),
      onGiveUp: interrupts.fail,
    };
    const journey = await runMarket({
      rootDir,
      options,
      env: readStartEnv(),
      reporter,
      supervision,
      onStop: stack.push,
      signal: interrupts.signal,
    });
    const apiUrl = journey.addresses.api;
    const api = createApi(apiUrl, interrupts.signal, journey.apiKey);
    await api.delete(`/v1/workspaces/${journey.result.workspace.id}`);
    const { image } = journey.result.workspace;
    const { dockerSocket } = journey;
    return {
      dockerSocket,
      print: reporter.print,
      api,
      apiUrl,
      signal: interrupts.signal,
      stateDir,
      image,
      onStop: stack.push,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
