import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { processStamp, tryLock } from "../lock.mjs";

/** Record of a started process, so that the next start can end it after a kill -9. */
export type ProcessRecord = {
  pid: number;
  /** Start time of the pid, see processStamp. */
  stamp: string;
  stopSignal: NodeJS.Signals;
  /** Time to end before SIGKILL, in ms. */
  stopDeadlineMs: number;
};

/**
 * Locks the state directory for this process and ends the processes that an earlier, killed one left running.
 *
 * @returns the names of the ended processes, and `release`, to be called once everything is stopped
 * @throws FatalError `state_dir_in_use` when another process uses the directory, `state_dir_unusable` when it is not writable
 */
export async function openState(stateDir: string): Promise<{ stopped: string[]; release: () => void }> {
  const lock = lockState(stateDir);
  if (lock.release === undefined) {
    throw new FatalError(
      `ngpu is already running from this directory (process ${lock.holder}, state in ${stateDir}).`,
      {
        code: "state_dir_in_use",
        hint: `Stop it first: kill -INT ${lock.holder}`,
      },
    );
  }
  const names = recordNames(stateDir);
  const ended = await Promise.all(names.map((name) => stopLeftover(stateDir, name)));
  return { stopped: names.filter((_, i) => ended[i]), release: lock.release };
}

function lockState(stateDir: string): ReturnType<typeof tryLock> {
  try {
    return tryLock(join(stateDir, "run", "owner.lock"));
  } catch (cause) {
    throw new FatalError(`${stateDir} cannot be written to: ${messageOf(cause)}`, {
      code: "state_dir_unusable",
      hint: "Start as the user who started it before, or move the directory away.",
      cause,
    });
  }
}

/** Ends the recorded process of this name and its whole group. True when it was running. */
export async function stopLeftover(stateDir: string, name: string): Promise<boolean> {
  const record = readRecord(stateDir, name);
  if (record === undefined) return false;
  const runs = () => processStamp(record.pid) === record.stamp;
  const found = runs();
  if (found) {
    signalGroup(record.pid, record.stopSignal);
    const deadline = Date.now() + record.stopDeadlineMs;
    while (runs() && Date.now() < deadline) await delay(50);
    if (runs()) signalGroup(record.pid, "SIGKILL");
    while (runs()) await delay(20);
  }
  forgetProcess(stateDir, name, record.pid);
  return found;
}

/** Records a process that was just started. */
export function recordProcess(stateDir: string, name: string, record: ProcessRecord): void {
  mkdirSync(join(stateDir, "run"), { recursive: true });
  writeFileSync(recordPath(stateDir, name), JSON.stringify(record), { mode: 0o600 });
}

/** Removes the record of a process that has ended, but not a successor's record of the same name. */
export function forgetProcess(stateDir: string, name: string, pid: number): void {
  if (readRecord(stateDir, name)?.pid === pid) rmSync(recordPath(stateDir, name), { force: true });
}

/** Signals a process group; false when none of it is left. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if (errorCode(error) === "ESRCH") return false;
    throw error;
  }
}

/** The `code` of a system error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function recordNames(stateDir: string): string[] {
  return readdirSync(join(stateDir, "run"))
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length));
}

function readRecord(stateDir: string, name: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordPath(stateDir, name), "utf8")) as ProcessRecord;
  } catch (error) {
    // A truncated record is from a power loss, which ended the process too.
    if (errorCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function recordPath(stateDir: string, name: string): string {
  return join(stateDir, "run", `${name}.json`);
}
