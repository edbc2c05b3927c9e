import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CommandOptions, runToEnd } from "../embedded/command.ts";
import { importErrors } from "./imports.ts";
import type { Outcome, StageContext } from "./stage.ts";

/** Files that `npm run build:contracts` writes. */
const GENERATED = ["packages/contracts-sdk/generated/**/*.ts", "contracts/compiled/**/*.json"];

/** A check that runs a program of node_modules. It passes, without output, when the program exits with 0. */
export function programCheck(program: string, args: readonly string[] = []) {
  return async ({ rootDir, signal }: StageContext): Promise<Outcome> =>
    verdict(await runProgram(rootDir, program, args, signal));
}

/** Checks that packages import only what the rules allow. */
export async function checkImports({ rootDir }: StageContext): Promise<Outcome> {
  const errors = importErrors(rootDir);
  return verdict({ ok: errors.length === 0, output: errors.join("\n") });
}

/** Checks that .env.example lists the current variables. */
export async function checkEnvExample({ rootDir, signal }: StageContext): Promise<Outcome> {
  return verdict(await run(process.execPath, ["scripts/envExample.ts", "--check"], { cwd: rootDir, signal }));
}

/** Checks that docs/reference matches the code. */
export async function checkReference({ rootDir, signal }: StageContext): Promise<Outcome> {
  return verdict(
    await run(process.execPath, ["scripts/reference/index.ts", "--check"], { cwd: rootDir, signal }),
  );
}

/** Checks that the OpenAPI document and the API client's types match the endpoints. */
export async function checkApiClient({ rootDir, signal }: StageContext): Promise<Outcome> {
  return verdict(await run(process.execPath, ["scripts/apiClient.ts", "--check"], { cwd: rootDir, signal }));
}

/**
 * Checks that the typed ABI and the stored contracts are byte for byte what the current sources compile to. Writes
 * them again when they are not.
 */
export async function checkGenerated({ rootDir, signal }: StageContext): Promise<Outcome> {
  const before = contentsOf(rootDir);
  const built = await run(process.execPath, ["scripts/buildContracts.ts"], { cwd: rootDir, signal });
  if (!built.ok) return verdict(built);
  const after = contentsOf(rootDir);
  const stale = [...new Set([...before.keys(), ...after.keys()])].filter(
    (file) => before.get(file) !== after.get(file),
  );
  const output = `These files differed from what the contracts compile to. This check has rewritten them, as \`npm run build:contracts\` does; commit them:\n${stale.map((file) => `  ${file}`).join("\n")}`;
  return verdict({ ok: stale.length === 0, output });
}

/** Runs the Solidity tests: fuzzing and invariants, in the quick profile. */
export async function runSolidityTests({ rootDir, signal, files, grep }: StageContext): Promise<Outcome> {
  // The runner finds the functions of a contract that a test calls in its artifact, which only a complete build writes.
  const built = await runProgram(rootDir, "hardhat", ["build"], signal);
  if (!built.ok) return verdict(built);
  const title = grep === undefined ? [] : ["--grep", grep];
  const args = ["test", "solidity", ...title, ...(files ?? [])];
  const { ok, output } = await runProgram(rootDir, "hardhat", args, signal);
  const [passed, failed] = ["passing", "failing"].map((word) => {
    return Number(new RegExp(`^\\s*(\\d+) ${word}`, "m").exec(output)?.[1] ?? 0);
  }) as [number, number];
  if (ok && (passed > 0 || grep !== undefined))
    return { passed, failed: 0, note: `${passed} passed, 0 failed` };
  process.stdout.write(`${output.trimEnd()}\n`);
  const note = `${passed} passed, ${failed} failed`;
  const only = files?.length === 1 ? files[0] : undefined;
  const message = /^\s*\d+ failing\n[\s\S]*/m.exec(output)?.[0] ?? output;
  const failures = [{ file: only, title: "", message: message.trim() }];
  return { passed, failed: Math.max(1, failed), note, failures };
}

type Result = { ok: boolean; output: string };

export function verdict({ ok, output }: Result): Outcome {
  if (ok) return { passed: 1, failed: 0 };
  process.stdout.write(`${output.trimEnd()}\n`);
  return { passed: 0, failed: 1, failures: [{ title: "", message: output.trim() }] };
}

export function runProgram(
  rootDir: string,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Result> {
  return run(join(rootDir, "node_modules/.bin", program), args, { cwd: rootDir, signal });
}

async function run(command: string, args: readonly string[], options: CommandOptions): Promise<Result> {
  const { code, output } = await runToEnd(command, args, options);
  return { ok: code === 0, output: output === "" ? `${command} ended with ${code}` : output };
}

function contentsOf(rootDir: string): Map<string, string> {
  const files = globSync(GENERATED, { cwd: rootDir }).sort();
  return new Map(files.map((file) => [file, readFileSync(join(rootDir, file), "utf8")]));
}
