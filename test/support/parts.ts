import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openState } from "../../scripts/embedded/leftovers.ts";
import { processStamp } from "../../scripts/lock.mjs";

/** The checkout. */
export const rootDir = join(import.meta.dirname, "../..");

const testDir = join(rootDir, ".ngpu/test");
const stops: (() => Promise<void>)[] = [];
let opened: Promise<string> | undefined;

/**
 * The folder for the state of the parts that this mocha run starts, removed at its end. Folders of runs that were
 * killed are cleaned up, and what they left running is stopped.
 */
export function testStateDir(): Promise<string> {
  opened ??= openTestState();
  return opened;
}

/** Has a part stopped at the end of the run. */
export function stopAtEnd(stop: () => Promise<void>): void {
  stops.push(stop);
}

/** Called by mocha at the end of the run, see global.ts. */
export async function stopParts(): Promise<void> {
  for (const stop of stops.splice(0).reverse()) await stop();
}

async function openTestState(): Promise<string> {
  mkdirSync(testDir, { recursive: true });
  for (const pid of readdirSync(testDir)) {
    if (processStamp(Number(pid)) !== undefined) continue;
    const killed = join(testDir, pid);
    (await openState(killed)).release();
    rmSync(killed, { recursive: true, force: true });
  }
  const stateDir = join(testDir, String(process.pid));
  const { release } = await openState(stateDir);
  stopAtEnd(async () => {
    release();
    rmSync(stateDir, { recursive: true, force: true });
  });
  return stateDir;
}
