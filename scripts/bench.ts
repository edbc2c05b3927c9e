import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "../services/shared/errors.ts";
import { start } from "../services/shared/lifecycle.ts";

const folder = join(import.meta.dirname, "../test/bench");

await start(async () => {
  const [name = "", ...args] = process.argv.slice(2);
  const benchmark = join(folder, name, "index.ts");
  if (!/^\w+$/.test(name) || !existsSync(benchmark)) {
    const known = readdirSync(folder).sort().join(", ");
    throw new FatalError(`There is no benchmark ${JSON.stringify(name)}.`, {
      code: "benchmark_unknown",
      hint: `Name one of: ${known}.`,
    });
  }
  const { run } = (await import(benchmark)) as { run: (args: string[]) => Promise<void> };
  await run(args);
});
