import { messageOf } from "@ngpu/runtime/errors";
import type { Check } from "./check.ts";
import { clientChecks } from "./checks/client.ts";
import { engineChecks } from "./checks/engine.ts";
import { gpuChecks } from "./checks/gpu.ts";
import { networkChecks } from "./checks/network.ts";
import { systemChecks } from "./checks/system.ts";
import type { Problem } from "./problems.ts";
import type { World } from "./world.ts";

const checks: Record<string, Check> = {
  ...systemChecks,
  ...clientChecks,
  ...engineChecks,
  ...gpuChecks,
  ...networkChecks,
};

/** What the doctor found. */
export type Examination = {
  checked: number;
  problems: Problem[];
  /** Checks that ended with an error of their own: they say nothing about the machine. */
  unchecked: { check: string; reason: string }[];
};

/** Runs every check. A check that fails ends no other. Problems that keep the node from earning come first. */
export async function examine(world: World): Promise<Examination> {
  const names = Object.keys(checks);
  const results = await Promise.allSettled(names.map(async (name) => checks[name]?.(world) ?? []));
  const problems: Problem[] = [];
  const unchecked: Examination["unchecked"] = [];
  results.forEach((result, index) => {
    if (result.status === "fulfilled") problems.push(...result.value);
    else unchecked.push({ check: names[index] ?? "", reason: messageOf(result.reason) });
  });
  problems.sort((a, b) => Number(a.severity === "warning") - Number(b.severity === "warning"));
  return { checked: names.length, problems, unchecked };
}
