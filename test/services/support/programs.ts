import { join } from "node:path";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import { rootDir, testStateDir } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";

type Variable = string | number | boolean | readonly string[] | undefined;

/** Starts a service or a program of the tests as a process of its own, and waits until it is healthy. */
export async function startProgram(options: {
  name: string;
  /** Path in the checkout. */
  file: string;
  /** Options of Node. */
  nodeArgs?: string[];
  env: Record<string, Variable>;
  /** Its base URL. */
  url: string;
}): Promise<RunningProcess> {
  const { name, file, nodeArgs = [], url } = options;
  return startProcess({
    name,
    command: process.execPath,
    args: [...nodeArgs, join(rootDir, file)],
    stateDir: await testStateDir(),
    cwd: rootDir,
    env: { ...programEnv(), ...textsOf(options.env) },
    ready: async (signal) => (await fetch(`${url}/healthz`, { signal })).ok,
    readyDeadlineMs: 60_000,
  });
}

/** Values as the environment of a process has them. */
function textsOf(values: Record<string, Variable>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      if (value === undefined) return [];
      return [[name, typeof value === "boolean" ? String(Number(value)) : String(value)]];
    }),
  );
}
