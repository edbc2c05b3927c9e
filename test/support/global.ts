import { stopParts } from "./parts.ts";

/** Mocha runs this once, after all suites. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stopParts();
}
