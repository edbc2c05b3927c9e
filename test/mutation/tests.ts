import { globSync } from "node:fs";
import { join } from "node:path";
import { loadMarket } from "../contracts/support/market.ts";
import { passed } from "./switch.ts";

/** A test, how long it took in ms, and the faults whose switches it passed. */
export type TestCase = { title: string; duration: number; passed: number[] };

/** The contracts' tests, but those that measure gas: switches cost some. */
export function testFiles(rootDir: string): string[] {
  const files = globSync("test/contracts/*.test.ts", {
    cwd: rootDir,
    exclude: ["**/gas.test.ts", "**/*.slow.test.ts"],
  });
  return files.sort().map((file) => join(rootDir, file));
}

/** Deploys, so that the tests find a snapshot; gives the faults whose switches that passed. */
export async function prepare(): Promise<number[]> {
  passed.clear();
  await loadMarket();
  const deployment = [...passed];
  passed.clear();
  return deployment;
}
