import { closeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stopLeftover } from "./leftovers.ts";
import { atPace, paceNote } from "./pace.ts";
import { exitOf, type GroupOptions, spawnFailure, spawnGroup, stopper } from "./processGroup.ts";
import { describeExit, type Exit, openLog, processFailure } from "./processLog.ts";

export type ProcessOptions = GroupOptions & {
  /** Polled until true. An error counts as "not yet"; the last one is the cause of a timeout. */
  ready: (signal: AbortSignal, pid: number) => Promise<boolean>;
  /** Time to become ready, in ms; longer on a slow machine. Default 30,000. */
  readyDeadlineMs?: number;
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

/** Bounds of the time between two questions whether a process is ready, in ms. */
const READY_POLL_MS = { least: 50, most: 500 };

/** A twentieth of the time waited so far: the questions of a slow start must not slow it down. */
const pollAfter = (waitedMs: number): number =>
  Math.min(READY_POLL_MS.most, Math.max(READY_POLL_MS.least, waitedMs / 20));

// Names in use, one set for the whole process: a process with such a name is a current one, not a leftover.
const names = new Set<string>();

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

// Exit codes of a shell for a command that is not found or not executable.
const CANNOT_RUN = new Set([126, 127]);

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
  const began = performance.now();
  let lastError: unknown;
  for (;;) {
    const asked = options.ready(signal, pid).catch((error: unknown) => {
      lastError = error;
      return false;
    });
    const answer = await Promise.race([asked, end, aborted]);
    if (answer === true) return;
    const pause = () => delay(pollAfter(performance.now() - began));
    const next = answer === false ? await Promise.race([pause(), end, aborted]) : answer;
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
