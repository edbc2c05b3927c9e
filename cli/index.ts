import { enableCompileCache } from "node:module";
import { version } from "@ngpu/runtime/version";
import { createProgram } from "./program.ts";

/* `ngpu`: the command line of partners, operators and auditors. */

async function main(): Promise<void> {
  if (process.argv[2] === "--version") {
    process.stdout.write(`${version}\n`);
    return;
  }
  enableCompileCache();
  // A reader that has enough, such as head, closes the pipe.
  process.stdout.on("error", () => process.exit());
  try {
    await createProgram().parseAsync();
  } catch (error) {
    const { failureOf, failureText } = await import("./shared/failure.ts");
    const failure = failureOf(error);
    const isJson = process.argv.includes("--json");
    process.stderr.write(`${isJson ? JSON.stringify({ error: failure }) : failureText(failure)}\n`);
    process.exit(1);
  }
}

void main();
