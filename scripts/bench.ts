import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/* `npm run bench -- <name> [options]` runs test/bench/<name>/index.ts with those options. */

const folder = join(import.meta.dirname, "../test/bench");
const [name = "", ...options] = process.argv.slice(2);
const program = join(folder, name, "index.ts");
if (!/^[a-z-]+$/.test(name) || !existsSync(program)) {
  const names = readdirSync(folder).filter((one) => existsSync(join(folder, one, "index.ts")));
  process.stderr.write(`Name a benchmark: ${names.join(", ")}.\n`);
  process.exitCode = 1;
} else {
  const running = spawn(process.execPath, [program, ...options], { stdio: "inherit" });
  running.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}
