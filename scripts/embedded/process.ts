import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { FatalError } from "@ngpu/runtime/errors";
import { processStamp } from "../lock.mjs";
import { forgetProcess, recordProcess, signalGroup, stopLeftover } from "./leftovers.ts";
import { atPace, paceNote } from "./pace.ts";
import { describeExit, type Exit, openLog, processFailure } from "./processLog.ts";

export type ProcessOptions = {
  /** Name of the log file and the record; part of the error messages. */
  name: string;
  command: string;
  args: readonly string[];
  /** State directory, usually `.ngpu`. */
  stateDir: string;
  cwd?: string;
  /** The complete environment of the child. Default: this process's own. */
  env?: NodeJS.ProcessEnv;
  /** Polled until true. An error counts as "not yet"; the last one is the cause of a timeout. */
  ready: (signal: AbortSignal, pid: number) => Promise<boolean>;
  /** Time to become ready, in ms; longer on a slow machine. Default 30,000. */
  readyDeadlineMs?: number;
  /** Signal that stops it. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** Time to end before SIGKILL, in ms. Default 10,000. */
  stopDeadlineMs?: number;
  /** Aborts the start. */
  signal?: AbortSignal;
};

export type RunningProcess = {
  pid: number;
  logFile: string;
  /** Resolves when the process ends, for any reason. */
  exited: Promise<Exit>;
  /** Ends the whole group: the stop signal, then SIGKILL after the deadline. It may be called again. */
  stop: () => Promise<void>;
};

const STOP_DEADLINE_MS = 10_000;
const READY_POLL_MS = 100;

// One list for the whole process, because one exit hook serves all. Entries that remain when this process ends by an
// uncaught error receive their stop signal.
const running = new Map<number, { name: string; stopSignal: NodeJS.Signals }>();
// Names in use, for the same reason: a process with such a name is a current one, not a leftover.
const names = new Set<string>();
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

/**
 * Starts a process in its own group, so that Ctrl-C in the terminal does not reach it, and waits until it is ready.
 * Its output is in `<stateDir>/logs/<name>.log`. A second process of the same name is called `<name>-2`.
 *
 * @throws FatalError `process_failed` with the last lines of the log when it ends early or exceeds the deadline; the
 *   signal's reason when aborted. In each case none of its processes is left running.
 */
export async function startProcess(asked: ProcessOptions): Promise<RunningProcess> {
  asked.signal?.throwIfAborted();
  const options = { ...asked, name: freeName(asked) };
  const key = join(options.stateDir, options.name);
  names.add(key);
  try {
    await stopLeftover(options.stateDir, options.name);
    const started = await launch(options);
    started.exited.then(() => names.delete(key));
    return started;
  } catch (error) {
    names.delete(key);
    throw error;
  }
}

function freeName({ stateDir, name }: ProcessOptions): string {
  for (let n = 2, free = name; ; n++) {
    if (!names.has(join(stateDir, free))) return free;
    free = `${name}-${n}`;
  }
}

async function launch(options: ProcessOptions): Promise<RunningProcess> {
  const logFile = openLog(options);
  const child = spawnGroup(options, logFile.fd);
  const exited = exitOf(child);
  closeSync(logFile.fd);
  const pid = child.pid;
  if (pid === undefined) throw await spawnFailure(options, child);
  const stop = stopper(options, pid, exited);
  try {
    await untilReady(options, pid, exited, logFile.path);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid, logFile: logFile.path, exited, stop };
}

// Waits for a line on file descriptor 3, then becomes the command. Ends when the descriptor is closed first.
const HELD_BACK = 'read -r go <&3 && exec "$@" 3<&-';
// Exit codes of a shell for a command that is not found or not executable.
const CANNOT_RUN = new Set([126, 127]);

/**
 * The process runs its command only after its record is written. Without a record it would outlive a kill -9 of this
 * process.
 */
function spawnGroup(options: ProcessOptions, log: number): ChildProcess {
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

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

function spawnFailure(options: ProcessOptions, child: ChildProcess): Promise<FatalError> {
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

async function untilReady(
  options: ProcessOptions,
  pid: number,
  exited: Promise<Exit>,
  logFile: string,
): Promise<void> {
  const { name } = options;
  const readyDeadlineMs = Math.round(atPace(options.readyDeadlineMs ?? 30_000));
  const deadline = AbortSignal.timeout(readyDeadlineMs);
  const signal = AbortSignal.any([deadline, ...(options.signal ? [options.signal] : [])]);
  const end = exited.then((exit) => exit);
  const aborted = new Promise<"aborted">((resolve) => {
    signal.addEventListener("abort", () => resolve("aborted"), { once: true });
  });
  let lastError: unknown;
  for (;;) {
    const asked = options.ready(signal, pid).catch((error: unknown) => {
      lastError = error;
      return false;
    });
    const answer = await Promise.race([asked, end, aborted]);
    if (answer === true) return;
    const next = answer === false ? await Promise.race([delay(READY_POLL_MS), end, aborted]) : answer;
    if (next === "aborted") {
      options.signal?.throwIfAborted();
      const within = `${Math.round(readyDeadlineMs / 100) / 10} s${paceNote()}`;
      throw processFailure(`${name} was not ready within ${within}`, logFile, lastError);
    }
    if (next === undefined) continue;
    const refused = CANNOT_RUN.has(next.code ?? 0);
    const what = refused
      ? `${name}: cannot run ${options.command}`
      : `${name} ended early (${describeExit(next)})`;
    throw processFailure(what, logFile);
  }
}

function stopper(options: ProcessOptions, pid: number, exited: Promise<Exit>): () => Promise<void> {
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
