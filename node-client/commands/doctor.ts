import { NgpuError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Command } from "commander";
import { type Examination, examine } from "../doctor/doctor.ts";
import { found } from "../doctor/problems.ts";
import { openWorld } from "../doctor/world.ts";
import { readDoctorEnv } from "../env.ts";

/** Adds the command that finds what keeps the node from earning. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("find what keeps this node from earning; exit code 1 when there is an error")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: true }) => {
      const result = await examineMachine();
      process.stdout.write(`${json ? toJson(result, 2) : describe(result)}\n`);
      if (result.problems.some(({ severity }) => severity === "error")) process.exitCode = 1;
    });
}

async function examineMachine(): Promise<Examination> {
  try {
    return await examine(openWorld(readDoctorEnv()));
  } catch (error) {
    if (!(error instanceof NgpuError) || error.code !== "env_invalid") throw error;
    return { checked: 1, problems: [found("settings_invalid", error.message)], unchecked: [] };
  }
}

function describe({ checked, problems, unchecked }: Examination): string {
  const lines = problems.flatMap(({ severity, code, title, evidence, confidence, cure }) => [
    `${severity === "error" ? "✘" : "!"} ${title} (${code}${confidence === "likely" ? ", likely" : ""})`,
    `    seen  ${evidence.replaceAll("\n", "\n          ")}`,
    `    cure  ${cure}`,
  ]);
  const failed = unchecked.map(({ check, reason }) => `? ${check} was not checked: ${reason}`);
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const summary =
    problems.length === 0
      ? `✔ ${checked - unchecked.length} checks found no problem.`
      : `${errors} errors and ${problems.length - errors} warnings in ${checked - unchecked.length} checks.`;
  return [...lines, ...failed, summary].join("\n");
}
