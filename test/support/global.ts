import { config } from "chai";
import { stopParts } from "./parts.ts";
import { runs } from "./runs.ts";

// A failure shows the values it compared.
config.truncateThreshold = 2_000;

/** Mocha runs this once, before all suites. */
export async function mochaGlobalSetup(): Promise<void> {
  if (runs(1) === 1) return;
  const { default: fc } = await import("fast-check");
  // For properties without their own number of runs.
  fc.configureGlobal({ ...fc.readConfigureGlobal(), numRuns: runs(100) });
}

/** Mocha runs this once, after all suites. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stopParts();
}
