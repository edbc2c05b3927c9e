import { randomInt } from "node:crypto";
import { join } from "node:path";
import { start } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { createBar } from "./progressBar.ts";
import type { Subject } from "./subject.ts";

/*
 * `npm run chaos -- <subject>`: kills a part of the market at random moments under other failures, then checks for
 * losses.
 */

const subjects: Record<string, { module: string; kills: number; description: string }> = {
  export: {
    module: "test/chaos/export/index.ts",
    kills: 500,
    description: "tests autoExport under chain reorgs, endpoint failures and Postgres restarts",
  },
  match: {
    module: "test/chaos/match/index.ts",
    kills: 500,
    description: "kills instances of match and dispense while workspaces are created and deleted",
  },
  node: {
    module: "test/chaos/node/index.ts",
    kills: 500,
    description:
      "kills the node client while its engine restarts, its disk fills up and its tunnels break; as root",
  },
};

type Options = { kills: number; seed: number; json?: true };

const program = new Command("npm run chaos --").version(version).showHelpAfterError();
for (const [name, { module, kills, description }] of Object.entries(subjects)) {
  program
    .command(name)
    .description(description)
    .option("--kills <count>", "kills", wholeNumber(0), kills)
    .option("--seed <number>", "seed of the random generator (default: random)", wholeNumber(0))
    .option("--json", "the result as JSON")
    .action((options: Options) =>
      tryOut(name, module, { ...options, seed: options.seed ?? randomInt(2 ** 31) }),
    );
}

await start(async () => {
  await program.parseAsync();
  // Handles that a killed process leaves open must not keep this process running.
  process.exit();
});

async function tryOut(name: string, module: string, { kills, seed, json }: Options): Promise<void> {
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort(new Error("Interrupted.")));
  const bar = createBar(kills);
  process.stderr.write(`ngpu ${version}, chaos ${name}: ${kills} kills, --seed ${seed}\n`);
  const { run } = (await import(join(import.meta.dirname, "../..", module))) as Subject;
  try {
    const { ok, figures, text } = await run({ kills, seed, signal: abort.signal, progress: bar.show });
    bar.clear();
    const result = { subject: name, ok, kills, seed, ...figures };
    const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
    process.stdout.write(json ? `${JSON.stringify(result, plain)}\n` : `${text}\n`);
    if (!ok) process.exitCode = 1;
  } finally {
    bar.clear();
  }
}
