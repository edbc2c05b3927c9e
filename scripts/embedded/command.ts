import { spawn } from "node:child_process";

export type CommandOptions = { cwd?: string; env?: NodeJS.ProcessEnv; signal?: AbortSignal };

/**
 * Runs a command to its end and collects its output.
 *
 * @returns its exit code (null when a signal ended it) and its output, stdout and stderr together
 */
export function runToEnd(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk: string) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}
