import { stopParts } from "./parts.ts";
import { runs } from "./runs.ts";

/** Mocha runs this once, before all suites. */
export async function mochaGlobalSetup(): Promise<void> {
  if (runs(1) === 1) return;
  const { default: fc } = await import("fast-check");
  // For the properties that say no number.
  fc.configureGlobal({ ...fc.readConfigureGlobal(), numRuns: runs(100) });
}

/** Mocha runs this once, after all suites. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stopParts();
}
