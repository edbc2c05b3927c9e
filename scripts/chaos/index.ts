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
 * losses; or sends it mutated requests.
 */

type SubjectFacts = {
  module: string;
  /** Default number of kills, or of requests. */
  kills?: number;
  requests?: number;
  description: string;
};

const subjects: Record<string, SubjectFacts> = {
  api: {
    module: "test/chaos/api/index.ts",
    requests: 100_000,
    description: "sends mutated requests to every operation of apiServer, and checks each answer",
  },
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

type Options = { kills?: number; requests?: number; seed: number; json?: true };

const program = new Command("npm run chaos --").version(version).showHelpAfterError();
for (const [name, { module, kills, requests, description }] of Object.entries(subjects)) {
  const unit = requests === undefined ? "kills" : "requests";
  program
    .command(name)
    .description(description)
    .option(`--${unit} <count>`, unit, wholeNumber(0), requests ?? kills)
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

async function tryOut(name: string, module: string, options: Options): Promise<void> {
  const { seed, json } = options;
  const unit = options.requests === undefined ? "kills" : "requests";
  const count = options.requests ?? options.kills ?? 0;
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort(new Error("Interrupted.")));
  const bar = createBar(count, unit);
  process.stderr.write(`ngpu ${version}, chaos ${name}: ${count} ${unit}, --seed ${seed}\n`);
  const { run } = (await import(join(import.meta.dirname, "../..", module))) as Subject;
  try {
    const { ok, figures, text } = await run({ kills: count, seed, signal: abort.signal, progress: bar.show });
    bar.clear();
    const result = { subject: name, ok, [unit]: count, seed, ...figures };
    const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
    process.stdout.write(json ? `${JSON.stringify(result, plain)}\n` : `${text}\n`);
    if (!ok) process.exitCode = 1;
  } finally {
    bar.clear();
  }
}
