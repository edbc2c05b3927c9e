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
  /** What is counted, and how many of them by default. */
  unit: "kills" | "requests" | "deliveries" | "waves";
  count: number;
  description: string;
  /** Whether the trial can end before it has done them all. */
  isTimed?: true;
};

const subjects: Record<string, SubjectFacts> = {
  api: {
    module: "test/chaos/api/index.ts",
    unit: "requests",
    count: 100_000,
    description: "sends mutated requests to every operation of apiServer, and checks each answer",
  },
  export: {
    module: "test/chaos/export/index.ts",
    unit: "kills",
    count: 500,
    description: "tests autoExport under chain reorgs, endpoint failures and Postgres restarts",
  },
  liars: {
    module: "test/chaos/liars/index.ts",
    unit: "waves",
    count: 3,
    description:
      "stages lies about hardware in waves on the contracts, and says when each is noticed and what it is paid",
  },
  match: {
    module: "test/chaos/match/index.ts",
    unit: "kills",
    count: 500,
    description: "kills instances of match and dispense while workspaces are created and deleted",
  },
  node: {
    module: "test/chaos/node/index.ts",
    unit: "kills",
    count: 500,
    description:
      "kills the node client while its engine restarts, its disk fills up and its tunnels break; as root",
    isTimed: true,
  },
  webhooks: {
    module: "test/chaos/webhooks/index.ts",
    unit: "deliveries",
    count: 100_000,
    description: "kills webhooks, Postgres and Redis while tasks end, and looks at what arrives",
  },
};

type Options = {
  kills?: number;
  requests?: number;
  deliveries?: number;
  waves?: number;
  seed: number;
  minutes?: number;
  json?: true;
};

const program = new Command("npm run chaos --").version(version).showHelpAfterError();
for (const [name, { module, unit, count, description, isTimed }] of Object.entries(subjects)) {
  const command = program
    .command(name)
    .description(description)
    .option(`--${unit} <count>`, unit, wholeNumber(0), count)
    .option("--seed <number>", "seed of the random generator (default: random)", wholeNumber(0))
    .option("--json", "the result as JSON")
    .action((options: Options) =>
      tryOut(name, { module, unit }, { ...options, seed: options.seed ?? randomInt(2 ** 31) }),
    );
  if (isTimed)
    command.option("--minutes <number>", `end after this time, with fewer ${unit}`, wholeNumber(1));
}

await start(async () => {
  await program.parseAsync();
  // Handles that a killed process leaves open must not keep this process running.
  process.exit();
});

async function tryOut(
  name: string,
  { module, unit }: Pick<SubjectFacts, "module" | "unit">,
  options: Options,
): Promise<void> {
  const { seed, minutes, json } = options;
  const count = options[unit] ?? 0;
  const abort = new AbortController();
  // A terminal sends the signal to npm and to this process, and npm passes it on: the second one must not end it before its parts.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => abort.abort(new Error("Interrupted.")));
  const bar = createBar(count, unit);
  process.stderr.write(`ngpu ${version}, chaos ${name}: ${count} ${unit}, --seed ${seed}\n`);
  const { run } = (await import(join(import.meta.dirname, "../..", module))) as Subject;
  try {
    const { ok, figures, text } = await run({
      kills: count,
      seed,
      ...(minutes !== undefined && { minutes }),
      signal: abort.signal,
      progress: bar.show,
    });
    bar.clear();
    const result = { subject: name, ok, [unit]: count, seed, ...figures };
    const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
    process.stdout.write(json ? `${JSON.stringify(result, plain)}\n` : `${text}\n`);
    if (!ok) process.exitCode = 1;
  } finally {
    bar.clear();
  }
}
