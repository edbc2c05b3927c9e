// `npm run coverage`: lines and branches of the contracts that their tests reach. See docs/contracts/coverage.md.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { readSources } from "../../scripts/solidity/ast.ts";
import { rewritten, writeSources } from "../../scripts/solidity/rewrite.ts";
import { type Branch, branchesOf, helper } from "./branches.ts";

const rootDir = join(import.meta.dirname, "../..");
const folder = ".ngpu/coverage";
/** Required coverage. */
const required = { lines: 0.98, branches: 0.95 };

type Lines = { found: number; hit: number; missed: string[] };

const { json } = new Command("npm run coverage --")
  .description("Runs the contracts' tests and counts the lines and branches that they reach.")
  .option("--json", "the result as JSON")
  .parse()
  .opts<{ json?: boolean }>();

const { branches, files } = branchesOf(readSources(rootDir));
const texts = rewritten(files, { file: "Recorded.sol", text: helper, names: ["reached", "recorded"] });
writeSources(join(rootDir, folder), texts);
rmSync(join(rootDir, "coverage"), { recursive: true, force: true });

const tests = globSync("test/contracts/*.test.ts", { cwd: rootDir, exclude: ["**/gas.test.ts"] });
const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
const args = ["--config", "test/coverage/hardhat.config.ts", "--coverage", "test", "mocha", ...tests.sort()];
const run = spawnSync(process.execPath, [hardhat, ...args], {
  cwd: rootDir,
  env: { ...process.env, NGPU_GAS_IS_REAL: "no" },
  stdio: ["ignore", json ? 2 : 1, 2],
});

const lines = linesOf(readFileSync(join(rootDir, "coverage/lcov.info"), "utf8"));
const taken = tagsOf(join(rootDir, "coverage/data"));
const missed = branches.filter(({ tag }) => !taken.has(tag));
const parts = { lines: lines.hit / lines.found, branches: 1 - missed.length / branches.length };

if (json) {
  process.stdout.write(
    `${JSON.stringify({ ...parts, lines, branches: branches.length, missed }, null, 2)}\n`,
  );
} else {
  for (const line of lines.missed) process.stdout.write(`not reached: ${line}\n`);
  for (const branch of missed) process.stdout.write(`not taken: ${describe(branch)}\n`);
  process.stdout.write(`lines ${lines.hit} of ${lines.found} (${percent(parts.lines)}), `);
  process.stdout.write(
    `branches ${branches.length - missed.length} of ${branches.length} (${percent(parts.branches)})\n`,
  );
}
if (run.status !== 0 || parts.lines < required.lines || parts.branches < required.branches)
  process.exitCode = 1;

/** Hardhat's report, without the helper of this program. */
function linesOf(lcov: string): Lines {
  const lines: Lines = { found: 0, hit: 0, missed: [] };
  let file = "";
  for (const row of lcov.split("\n")) {
    if (row.startsWith("SF:")) file = row.slice(3).replace(`${folder}/`, "");
    const [, line, hits] = /^DA:(\d+),(\d+)/.exec(row) ?? [];
    if (line === undefined || file.endsWith("Recorded.sol")) continue;
    lines.found += 1;
    if (Number(hits) > 0) lines.hit += 1;
    else lines.missed.push(`${file}:${line}`);
  }
  return lines;
}

/** The recorded tags of all processes, without Hardhat's own tags, which are hashes. */
function tagsOf(data: string): Set<number> {
  const tags = globSync("**/*.json", { cwd: data }).flatMap((file) =>
    Object.keys(JSON.parse(readFileSync(join(data, file), "utf8")) as object),
  );
  return new Set(tags.filter((tag) => /^0{48}/.test(tag)).map((tag) => Number.parseInt(tag, 16)));
}

function describe({ file, line, way, text }: Branch): string {
  return `${file}:${line} ${way}: ${text}`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)}%`;
}
