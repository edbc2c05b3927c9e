import { join } from "node:path";
import { runToEnd } from "../../scripts/embedded/command.ts";

/** How a Solidity test ended; a failure has a reason. */
export type Outcome = { passed: true } | { passed: false; reason: string };

/** The verdict on a fault. Only a test that passes without a fault can find one. */
export type Verdict =
  | { kind: "finds"; reason: string }
  | { kind: "survives" }
  | { kind: "breaks the set-up" }
  | { kind: "fails without a fault"; reason: string };

/** Number with which no switch is on. */
export const noFault = 0;

/** Runs Solidity tests on the contracts with one fault on. */
export async function outcomesUnder(
  rootDir: string,
  fault: number,
  tests: readonly string[],
): Promise<Map<string, Outcome>> {
  const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
  const { output } = await runToEnd(
    process.execPath,
    [hardhat, "test", "solidity", "--grep", `^(${tests.join("|")})\\(`],
    {
      cwd: rootDir,
      env: {
        ...process.env,
        NO_COLOR: "1",
        NGPU_FAULT: String(fault),
        HARDHAT_CONFIG: join(import.meta.dirname, "invariants.config.ts"),
      },
    },
  );
  if (!output.includes("Running Solidity tests")) throw new Error(output);
  return outcomesIn(output);
}

/** Reads the output of Hardhat's reporter, by test name. */
export function outcomesIn(output: string): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  for (const [, test] of output.matchAll(/^ +✔ (\w+)\(/gm)) outcomes.set(test ?? "", { passed: true });
  for (const [, test, reason] of output.matchAll(/^ +\d+\) \w+#(\w+)\(.*\n +Error: (.*)$/gm)) {
    outcomes.set(test ?? "", { passed: false, reason: (reason ?? "").trim() });
  }
  return outcomes;
}

/**
 * @param control How the test ended without a fault.
 * @param under How it ended under the fault; undefined when it did not begin.
 */
export function verdictOf(control: Outcome | undefined, under: Outcome | undefined): Verdict {
  if (control === undefined) return { kind: "fails without a fault", reason: "it did not begin" };
  if (!control.passed) return { kind: "fails without a fault", reason: control.reason };
  if (under === undefined) return { kind: "breaks the set-up" };
  return under.passed ? { kind: "survives" } : { kind: "finds", reason: under.reason };
}
