import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

const IMPORT =
  /(?:^|[\s;}])(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;
// A type-only import does not exist at run time.
const TYPES_ALONE = /^\W?(import|export)\s+type\b/;

/** The test and its helpers are read, the tested code is not. */
const READ = /^(test|scripts)\/.*\.m?ts$|^scripts\/.*\.mjs$/;
const STARTS_PROCESSES = "node:child_process";

/**
 * Selects the unit tests among test files: those that start no process. Neither such a file nor a file of `test/` or
 * `scripts/` that it imports, directly or indirectly, imports node:child_process, and its name does not end in
 * .slow.test.ts.
 */
export function unitFiles(rootDir: string, files: readonly string[]): string[] {
  const imports = new Map<string, string[]>();
  const importsOf = (file: string): string[] => {
    const known = imports.get(file) ?? readImports(rootDir, file);
    imports.set(file, known);
    return known;
  };
  return files.filter((file) => !file.endsWith(".slow.test.ts") && !startsProcesses(file, importsOf));
}

function startsProcesses(file: string, importsOf: (file: string) => string[]): boolean {
  const reached = new Set([file]);
  // The set grows during the loop.
  for (const one of reached) {
    for (const target of importsOf(one)) {
      if (target === STARTS_PROCESSES) return true;
      if (READ.test(target)) reached.add(target);
    }
  }
  return false;
}

/** Imports of a file: files as paths from the checkout, packages by name. */
function readImports(rootDir: string, file: string): string[] {
  if (!existsSync(join(rootDir, file))) return [];
  const text = readFileSync(join(rootDir, file), "utf8");
  return [...text.matchAll(IMPORT)]
    .filter(([statement]) => !TYPES_ALONE.test(statement))
    .map((match) => {
      const target = match[1] ?? match[2] ?? "";
      return target.startsWith(".") ? posix.join(dirname(file), target) : target;
    });
}
