import { cpSync, globSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runProgram, verdict } from "./checks.ts";
import type { Outcome, StageContext } from "./stage.ts";

const BUILT = "console/built";

/**
 * Checks that the console in the repository is byte for byte what its sources build to. Writes it again when it is not.
 */
export async function checkConsole({ rootDir, stateDir, signal }: StageContext): Promise<Outcome> {
  const fresh = join(stateDir, "console");
  const built = await runProgram(rootDir, "vite", ["build", "console", "--outDir", fresh], signal);
  if (!built.ok) return verdict(built);
  const kept = contentsOf(join(rootDir, BUILT));
  const expected = contentsOf(fresh);
  const stale = [...new Set([...kept.keys(), ...expected.keys()])].filter(
    (file) => kept.get(file) !== expected.get(file),
  );
  if (stale.length > 0) {
    rmSync(join(rootDir, BUILT), { recursive: true, force: true });
    cpSync(fresh, join(rootDir, BUILT), { recursive: true });
  }
  const output = `These files differed from what the console's sources build to. This check has rewritten them, as \`npm run build:console\` does; commit them:\n${stale.map((file) => `  ${BUILT}/${file}`).join("\n")}`;
  return verdict({ ok: stale.length === 0, output });
}

function contentsOf(folder: string): Map<string, string> {
  const files = globSync("**/*.*", { cwd: folder }).sort();
  return new Map(files.map((file) => [file, readFileSync(join(folder, file), "latin1")]));
}
