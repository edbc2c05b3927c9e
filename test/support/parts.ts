import { join } from "node:path";
import { openTestState } from "../../scripts/test/state.ts";

/** The root of the checkout. */
export const rootDir = join(import.meta.dirname, "../..");

const stops: (() => Promise<void>)[] = [];
let opened: Promise<string> | undefined;

/** The directory for the state of the parts that this mocha run starts. It is removed at the end of the run. */
export function testStateDir(): Promise<string> {
  if (process.env.NGPU_TEST_STAGE === "unit") {
    throw new Error("A unit test must not start Postgres, Redis or a chain: see scripts/test/unit.ts.");
  }
  opened ??= openOnce();
  return opened;
}

/** Registers a function that stops a part at the end of the run. */
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
