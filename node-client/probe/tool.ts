import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { messageOf } from "@ngpu/runtime/errors";

const run = promisify(execFile);

/** What a tool printed. `failure`: it ended with an error or too late; what it printed before still counts. */
export type ToolOutput = { stdout: string; stderr: string; failure: string | undefined };

/** @deadline A driver's tool. It is killed and the driver counts as failed; it may stay in the kernel for ever. */
const toolDeadline = 30_000;
/** @deadline A driver's tool to end once it is killed. The driver counts as failed, and the tool is left to the kernel. */
const killGrace = 500;

/** Runs a driver's tool. Undefined: this user cannot find it. */
export async function runTool(
  program: string,
  args: string[],
  deadline = toolDeadline,
): Promise<ToolOutput | undefined> {
  try {
    const options = { timeout: deadline, killSignal: "SIGKILL", maxBuffer: 2 ** 24 } as const;
    const late = Promise.withResolvers<never>();
    // A process that waits for a broken card does not end when it is killed.
    using _timer = setTimeout(
      () => late.reject(new Error(`no end within ${deadline} ms`)),
      deadline + killGrace,
    );
    const { stdout, stderr } = await Promise.race([run(program, args, options), late.promise]);
    return { stdout, stderr, failure: undefined };
  } catch (error) {
    const failed = error as NodeJS.ErrnoException & { stdout?: string; stderr?: string };
    // EACCES: PATH has a directory that this user may not read.
    if (failed.code === "ENOENT" || failed.code === "EACCES") return undefined;
    return { stdout: failed.stdout ?? "", stderr: failed.stderr ?? "", failure: messageOf(error) };
  }
}

/** The JSON document in a tool's output; tools print warnings before and after it. Undefined: there is none. */
export function jsonIn(text: string): unknown {
  for (const { 0: start, index } of text.matchAll(/^[^\S\n]*[{[]/gm)) {
    const end = text.lastIndexOf(start.endsWith("{") ? "}" : "]");
    try {
      return JSON.parse(text.slice(index, end + 1));
    } catch {
      // A warning may begin with a bracket: try the next one.
    }
  }
  return undefined;
}
