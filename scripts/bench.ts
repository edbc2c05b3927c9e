import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { start } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";

const folder = join(import.meta.dirname, "../test/bench");
const benchmarks = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

await start(async () => {
  const [name = "", ...args] = process.argv.slice(2);
  const known = benchmarks.join(", ");
  if (name === "" || name === "--help" || name === "-h") {
    process.stdout.write(
      `Usage: npm run bench -- <name> [options]\n\nBenchmarks: ${known}.\nTheir options and figures are in docs/benchmarks.md.\n`,
    );
    return;
  }
  if (!benchmarks.includes(name)) {
    throw new FatalError(`Unknown benchmark ${JSON.stringify(name)}.`, {
      code: "benchmark_not_found",
      hint: `Choose one of: ${known}.`,
    });
  }
  process.stderr.write(`ngpu ${version}, bench ${name}\n`);
  const { run } = (await import(join(folder, name, "index.ts"))) as {
    run: (args: string[]) => Promise<void>;
  };
  await run(args);
});
