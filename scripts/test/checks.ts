import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CommandOptions, runToEnd } from "../embedded/command.ts";
import { importFaults } from "./imports.ts";
import type { Outcome, StageContext } from "./stage.ts";

const GENERATED = "services/shared/chain/generated";

/** A check that is a program of node_modules: it passes when the program ends with 0, and is silent then. */
export function programCheck(program: string, args: readonly string[] = []) {
  return async ({ rootDir, signal }: StageContext): Promise<Outcome> =>
    verdict(await runProgram(rootDir, program, args, signal));
}

/** Checks that rooms import only what they may. */
export async function checkRooms({ rootDir }: StageContext): Promise<Outcome> {
  const faults = importFaults(rootDir);
  return verdict({ ok: faults.length === 0, output: faults.join("\n") });
}

/** Checks that .env.example lists today's variables. */
export async function checkEnvExample({ rootDir, signal }: StageContext): Promise<Outcome> {
  return verdict(await run(process.execPath, ["scripts/envExample.ts", "--check"], { cwd: rootDir, signal }));
}

/** Checks that docs/reference is what the code gives. */
export async function checkReference({ rootDir, signal }: StageContext): Promise<Outcome> {
  return verdict(
    await run(process.execPath, ["scripts/reference/index.ts", "--check"], { cwd: rootDir, signal }),
  );
}

/** Checks that the typed ABI is the one of today's contracts; writes it anew when it is not. */
export async function checkGenerated({ rootDir, signal }: StageContext): Promise<Outcome> {
  const before = contentOf(rootDir);
  const built = await runProgram(rootDir, "hardhat", ["build"], signal);
  if (!built.ok) return verdict(built);
  const written = await run(process.execPath, ["scripts/abi.ts"], { cwd: rootDir, signal });
  if (!written.ok) return verdict(written);
  const output = `${GENERATED} was not that of the contracts. It is now: commit it.`;
  return verdict({ ok: contentOf(rootDir) === before, output });
}

/** Runs the Solidity tests: fuzzing and invariants, in the quick profile. */
export async function runSolidityTests({ rootDir, signal }: StageContext): Promise<Outcome> {
  const { ok, output } = await runProgram(rootDir, "hardhat", ["test", "solidity"], signal);
  const [passed, failed] = ["passing", "failing"].map((word) => {
    return Number(new RegExp(`^\\s*(\\d+) ${word}`, "m").exec(output)?.[1] ?? 0);
  }) as [number, number];
  if (ok && passed > 0) return { passed, failed: 0, note: `${passed} passed, 0 failed` };
  process.stdout.write(`${output.trimEnd()}\n`);
  return { passed, failed: Math.max(1, failed), note: `${passed} passed, ${failed} failed` };
}

type Result = { ok: boolean; output: string };

function verdict({ ok, output }: Result): Outcome {
  if (ok) return { passed: 1, failed: 0 };
  process.stdout.write(`${output.trimEnd()}\n`);
  return { passed: 0, failed: 1 };
}

function runProgram(
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

function contentOf(rootDir: string): string {
  const files = globSync(`${GENERATED}/**/*.ts`, { cwd: rootDir }).sort();
  return files.map((file) => `${file}\n${readFileSync(join(rootDir, file), "utf8")}`).join("\n");
}
