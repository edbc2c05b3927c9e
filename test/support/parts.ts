import { join } from "node:path";
import { openTestState } from "../../scripts/test/state.ts";

/** The checkout. */
export const rootDir = join(import.meta.dirname, "../..");

const stops: (() => Promise<void>)[] = [];
let opened: Promise<string> | undefined;

/**
 * The folder for the state of the parts that this mocha run starts, removed at its end.
 */
export function testStateDir(): Promise<string> {
  if (process.env.NGPU_TEST_STAGE === "unit") {
    throw new Error("A unit test starts no Postgres, Redis or chain: see scripts/test/unit.ts.");
  }
  opened ??= openOnce();
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

async function openOnce(): Promise<string> {
  const { stateDir, release } = await openTestState(rootDir);
  stopAtEnd(async () => release());
  return stateDir;
}
