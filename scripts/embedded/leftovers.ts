import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { processStamp, tryLock } from "../lock.mjs";

/** A process that was started, as written down for whoever comes after a kill -9. */
export type ProcessRecord = {
  pid: number;
  /** Start time of the pid, see processStamp. */
  stamp: string;
  stopSignal: NodeJS.Signals;
  /** How long it may take to end before SIGKILL, in ms. */
  stopDeadlineMs: number;
};

/**
 * Takes the state folder for this process and ends what an earlier, killed one left running.
 *
 * @returns the names of the leftovers that were stopped, and `release`, to be called once all is stopped
 * @throws FatalError `state_in_use` when another process works in the folder, `state_unusable` when it cannot be
 *   written to
 */
export async function openState(stateDir: string): Promise<{ stopped: string[]; release: () => void }> {
  const lock = lockState(stateDir);
  if (lock.release === undefined) {
    throw new FatalError(
      `ngpu is already running from this directory (process ${lock.holder}, state in ${stateDir}).`,
      {
        code: "state_in_use",
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
      code: "state_unusable",
      hint: "Start as the user who started it before, or move the directory away.",
      cause,
    });
  }
}

/** Ends the recorded process of this name if it still runs, with its whole group. True when it did run. */
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

/** Writes down a process that was just started. */
export function recordProcess(stateDir: string, name: string, record: ProcessRecord): void {
  mkdirSync(join(stateDir, "run"), { recursive: true });
  writeFileSync(recordPath(stateDir, name), JSON.stringify(record), { mode: 0o600 });
}

/** Strikes a process that has ended off the records; a successor's record of the same name stays. */
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
    // A record cut off by a power loss names a process that the power loss ended too.
    if (errorCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function recordPath(stateDir: string, name: string): string {
  return join(stateDir, "run", `${name}.json`);
}
