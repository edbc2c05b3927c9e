import { toJson } from "@ngpu/runtime/json";
import { endWith } from "../shared/exitCodes.ts";

/**
 * Prints whether every check passed, and sets the exit code: 0 if so, else 2.
 *
 * @param lines Text for people, below the verdict.
 */
export function printVerdict(
  { json }: { json: boolean },
  checks: Record<string, boolean>,
  figures: Record<string, unknown>,
  lines: readonly string[],
): void {
  const holds = Object.values(checks).every(Boolean);
  const failed = Object.entries(checks).flatMap(([name, passed]) => (passed ? [] : [name]));
  const verdict = holds ? "Valid." : `Invalid; failed checks: ${failed.join(", ")}.`;
  process.stdout.write(
    json ? `${toJson({ holds, checks, ...figures })}\n` : `${[verdict, ...lines].join("\n")}\n`,
  );
  endWith(holds ? "success" : "no");
}
