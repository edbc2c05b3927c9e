import { globSync } from "node:fs";
import { join } from "node:path";
import { opChain } from "../contracts/support/chain.ts";
import { loadMarket } from "../contracts/support/market.ts";
import { coinbaseOf, passed } from "./switch.ts";

/** A test, its duration in ms, and the faults whose switches it passed. */
export type TestCase = { title: string; duration: number; passed: number[] };

/** The contracts' tests, except those that measure gas, because switches cost gas. */
export function testFiles(rootDir: string): string[] {
  const files = globSync("test/contracts/*.test.ts", {
    cwd: rootDir,
    exclude: ["**/gas.test.ts", "**/*.slow.test.ts"],
  });
  return files.sort().map((file) => join(rootDir, file));
}

/** Sets the switch before the chain takes its first snapshot. */
export async function applySwitch(): Promise<void> {
  const { provider } = await opChain();
  await provider.request({ method: "hardhat_setCoinbase", params: [coinbaseOf()] });
}

/** Deploys, so that the tests find a snapshot. Returns the faults whose switches the deployment passed. */
export async function prepare(): Promise<number[]> {
  passed.clear();
  await applySwitch();
  await loadMarket();
  const deployment = [...passed];
  passed.clear();
  return deployment;
}
