import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "../../services/shared/errors.ts";
import { openState } from "../embedded/leftovers.ts";
import { processStamp } from "../lock.mjs";

/**
 * Opens a state folder for this test run alone. Folders of runs that were killed are cleaned up, and what they left
 * running is stopped.
 *
 * @returns the folder, and `release`, which removes it, to be called once all is stopped
 */
export async function openTestState(rootDir: string): Promise<{ stateDir: string; release: () => void }> {
  const testDir = join(rootDir, ".ngpu/test");
  mkdirSync(testDir, { recursive: true });
  for (const pid of readdirSync(testDir)) {
    if (processStamp(Number(pid)) !== undefined) continue;
    await remove(join(testDir, pid));
  }
  const stateDir = join(testDir, String(process.pid));
  const { release } = await openState(stateDir);
  return {
    stateDir,
    release: () => {
      release();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

async function remove(killed: string): Promise<void> {
  try {
    (await openState(killed)).release();
  } catch (error) {
    // Another run is at it.
    if (error instanceof FatalError && error.code === "state_in_use") return;
    throw error;
  }
  rmSync(killed, { recursive: true, force: true });
}
