import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { rootDir } from "./parts.ts";
import { programEnv } from "./programEnv.ts";

export type CliOptions = {
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  /** When it resolves, the program gets the signal of Ctrl-C. */
  interrupted?: Promise<unknown>;
  /** Get what the program writes, as it arrives. */
  onStderr?: (text: string) => void;
  onStdout?: (text: string) => void;
};
/** A run of the program. */
export type CliRun = { code: number | null; stdout: string; stderr: string };

/** Runs the CLI as a user does, without the profiles of this user. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return runProgram("cli/index.ts", args, options);
}

/** Runs a program of the checkout. @param entry Its file, from the root directory. */
export async function runProgram(
  entry: string,
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliRun> {
  const { input = "", env = {}, interrupted, cwd } = options;
  const running = spawn(process.execPath, [join(rootDir, entry), ...args], {
    env: { ...programEnv(), XDG_CONFIG_HOME: join(rootDir, "test/no-profiles"), ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  running.stdin.end(input);
  running.stderr.on("data", (chunk: Buffer) => options.onStderr?.(chunk.toString()));
  running.stdout.on("data", (chunk: Buffer) => options.onStdout?.(chunk.toString()));
  interrupted?.then(() => running.kill("SIGINT"));
  const stdout = text(running.stdout);
  const stderr = text(running.stderr);
  const [code] = (await once(running, "exit")) as [number | null];
  return { code, stdout: await stdout, stderr: await stderr };
}
