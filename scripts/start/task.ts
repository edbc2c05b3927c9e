import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { forgetProcess, recordProcess, signalGroup } from "../embedded/leftovers.ts";
import { processStamp } from "../lock.mjs";

const stopDeadlineMs = 10_000;

/**
 * Runs a program of this checkout to its end, in its own process group and with a record. Ctrl-C reaches it only
 * through `signal`. The next start ends a program that a killed start left.
 *
 * @returns its exit code (null when a signal ended it) and its output, stdout and stderr together
 * @throws the signal's reason, once none of its processes is left
 */
export async function runTask(options: {
  name: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  stateDir: string;
  signal: AbortSignal;
}): Promise<{ code: number | null; output: string }> {
  const { name, stateDir, signal } = options;
  signal.throwIfAborted();
  const child = spawn(process.execPath, options.args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const pid = child.pid;
  if (pid === undefined) {
    throw await closed.then(
      () => new Error(`${name} did not start.`),
      (failure: unknown) => failure,
    );
  }
  const stamp = processStamp(pid);
  if (stamp !== undefined)
    recordProcess(stateDir, name, { pid, stamp, stopSignal: "SIGTERM", stopDeadlineMs });
  const outputSoFar = collect([child.stdout, child.stderr]);
  let kill: NodeJS.Timeout | undefined;
  const stop = () => {
    signalGroup(pid, "SIGTERM");
    kill = setTimeout(() => signalGroup(pid, "SIGKILL"), stopDeadlineMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const [code] = (await closed) as [number | null];
    signal.throwIfAborted();
    return { code, output: outputSoFar() };
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(kill);
    forgetProcess(stateDir, name, pid);
  }
}

/** Collects what the streams send, in the order of its arrival. */
function collect(streams: readonly Readable[]): () => string {
  let output = "";
  for (const stream of streams) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  return () => output;
}
