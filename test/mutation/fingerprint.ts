import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The sources of the faults. With other sources the faults have other numbers. */
export const faultSources = ["contracts/**/*.sol", "scripts/solidity/*.ts", "test/mutation/*.ts"];

/** A hash of the names and contents of all matching files. */
export function fingerprintOf(rootDir: string, globs: readonly string[]): string {
  const hash = createHash("sha256");
  // The compiled contracts are in folders that are named after their files.
  for (const file of globSync([...globs], { cwd: rootDir, exclude: ["contracts/compiled"] }).sort()) {
    const content = createHash("sha256")
      .update(readFileSync(join(rootDir, file)))
      .digest("hex");
    hash.update(`${file} ${content}\n`);
  }
  return hash.digest("hex");
}
