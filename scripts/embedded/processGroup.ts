import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { FatalError } from "@ngpu/runtime/errors";
import { processStamp } from "../lock.mjs";
import { forgetProcess, recordProcess, signalGroup } from "./leftovers.ts";
import type { Exit } from "./processLog.ts";

export type GroupOptions = {
  /** Name of the log file and the record; part of the error messages. */
  name: string;
  command: string;
  args: readonly string[];
  /** State directory, usually `.ngpu`. */
  stateDir: string;
  cwd?: string;
  /** The complete environment of the child. Default: this process's own. */
  env?: NodeJS.ProcessEnv;
  /** Signal that stops it. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** Time to end before SIGKILL, in ms. Default 10,000. */
  stopDeadlineMs?: number;
};

const STOP_DEADLINE_MS = 10_000;

// One list for the whole process, because one exit hook serves all. Entries that remain when this process ends by an
// uncaught error receive their stop signal.
const running = new Map<number, { name: string; stopSignal: NodeJS.Signals }>();
process.on("exit", () => {
  for (const [pid, { stopSignal }] of running) signalGroup(pid, stopSignal);
});

/**
 * Kills the running child processes, for a user who does not want to wait; `stop` then resolves immediately. It does
 * not kill a Docker engine, because that would leave its containers running.
 */
export function killRunning(): void {
  for (const [pid, { name }] of running) if (name !== "docker") signalGroup(pid, "SIGKILL");
}

// Waits for a line on file descriptor 3, then becomes the command. Ends when the descriptor is closed first.
const HELD_BACK = 'read -r go <&3 && exec "$@" 3<&-';
/**
 * Spawns a process in its own group. The process runs its command only after its record is written. Without a record it would outlive a kill -9 of this
 * process.
 */
export function spawnGroup(options: GroupOptions, log: number): ChildProcess {
  const { name, stateDir, stopSignal = "SIGTERM", stopDeadlineMs = STOP_DEADLINE_MS } = options;
  const child = spawn("/bin/sh", ["-c", HELD_BACK, "sh", options.command, ...options.args], {
    detached: true,
    stdio: ["ignore", log, log, "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  if (child.pid !== undefined) {
    running.set(child.pid, { name, stopSignal });
    const stamp = processStamp(child.pid);
    const go = child.stdio[3] as Writable;
    // The child may have been killed before this write.
    go.on("error", () => undefined);
    try {
      // No stamp: it has already ended and needs no record.
      if (stamp !== undefined)
        recordProcess(stateDir, name, { pid: child.pid, stamp, stopSignal, stopDeadlineMs });
      go.end("\n", () => go.destroy());
    } finally {
      // Without the line, the child ends.
      if (!go.writableEnded) go.destroy();
    }
  }
  return child;
}

export function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/** The error of a process that could not be spawned. */
export function spawnFailure(options: GroupOptions, child: ChildProcess): Promise<FatalError> {
  return new Promise((resolve) => {
    child.once("error", (cause) =>
      resolve(
        new FatalError(`${options.name}: cannot run ${options.command}: ${cause.message}`, {
          code: "process_failed",
          hint: "Check that the program is installed and executable, then start again.",
          cause,
        }),
      ),
    );
  });
}

/** Returns the function that ends a group: the stop signal, then SIGKILL after the deadline. It may be called again. */
export function stopper(options: GroupOptions, pid: number, exited: Promise<Exit>): () => Promise<void> {
  const { name, stateDir, stopSignal = "SIGTERM", stopDeadlineMs = STOP_DEADLINE_MS } = options;
  exited.then(() => {
    // Processes that the leader leaves in its group end with it.
    signalGroup(pid, "SIGKILL");
    running.delete(pid);
  });
  let stopping: Promise<void> | undefined;
  return () => {
    stopping ??= (async () => {
      if (running.has(pid)) signalGroup(pid, stopSignal);
      const kill = setTimeout(() => signalGroup(pid, "SIGKILL"), stopDeadlineMs);
      await exited;
      clearTimeout(kill);
      forgetProcess(stateDir, name, pid);
    })();
    return stopping;
  };
}
