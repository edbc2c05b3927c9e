import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What makes the faults, and what they are put into: with another of these, their numbers mean something else. */
export const faultSources = ["contracts/**/*.sol", "scripts/solidity/*.ts", "test/mutation/*.ts"];

/** Changes with any file of these globs, its name or its content. */
export function fingerprintOf(rootDir: string, globs: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of globSync([...globs], { cwd: rootDir }).sort()) {
    const content = createHash("sha256")
      .update(readFileSync(join(rootDir, file)))
      .digest("hex");
    hash.update(`${file} ${content}\n`);
  }
  return hash.digest("hex");
}
