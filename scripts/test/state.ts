import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { openState } from "../embedded/leftovers.ts";
import { processStamp } from "../lock.mjs";

/**
 * Opens a state directory for this test run alone. Call sweepTestState first.
 *
 * @returns the directory, and `release`, which removes it, to be called once everything is stopped
 */
export async function openTestState(rootDir: string): Promise<{ stateDir: string; release: () => void }> {
  await sweepTestState(rootDir);
  const stateDir = join(testDirOf(rootDir), String(process.pid));
  const { release } = await openState(stateDir);
  return {
    stateDir,
    release: () => {
      release();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Removes the directories of killed test runs, and stops the processes that they left running. */
export async function sweepTestState(rootDir: string): Promise<void> {
  const testDir = testDirOf(rootDir);
  mkdirSync(testDir, { recursive: true });
  for (const pid of readdirSync(testDir)) {
    if (processStamp(Number(pid)) === undefined) await remove(join(testDir, pid));
  }
}

function testDirOf(rootDir: string): string {
  return join(rootDir, ".ngpu/test");
}

async function remove(killed: string): Promise<void> {
  try {
    (await openState(killed)).release();
  } catch (error) {
    // Another run uses it.
    if (error instanceof FatalError && error.code === "state_dir_in_use") return;
    throw error;
  }
  rmSync(killed, { recursive: true, force: true });
}
