import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { rootDir } from "./parts.ts";
import { programEnv } from "./programEnv.ts";

/** Runs the CLI as a user does. */
export async function runCli(
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const running = spawn(process.execPath, [join(rootDir, "cli/index.ts"), ...args], {
    env: { ...programEnv(), ...env },
  });
  running.stdin.end(input);
  const stdout = text(running.stdout);
  const stderr = text(running.stderr);
  const [code] = (await once(running, "exit")) as [number | null];
  return { code, stdout: await stdout, stderr: await stderr };
}
