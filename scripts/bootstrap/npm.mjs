// Runs npm, silent unless it fails.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** An error that is reported by its message alone. */
export class InstallError extends Error {}

/**
 * Runs npm under a given Node, and reports it in one line.
 *
 * @param {{ what: string, node: string, args: string[], cwd: string, answered?: boolean }} options `what` is being
 *   installed; `answered`: the registry has just responded
 */
export async function runNpm({ what, node, args, cwd, answered = false }) {
  const npm = findNpm();
  const began = performance.now();
  process.stderr.write(`Installing ${what} ...`);
  const { code, output, failure } = answered
    ? await run(node, [npm, ...args], { cwd, npm })
    : await runWatched({ node, npm, args, cwd });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stderr.write(code === 0 ? ` ${seconds} s\n` : ` failed after ${seconds} s\n`);
  if (code === 0) return;
  if (failure !== undefined) throw new InstallError(`Could not install ${what}: ${failure}`);
  process.stderr.write(output);
  throw new InstallError(`Could not install ${what}: see npm's output above, then retry.`);
}

/**
 * Runs npm, and checks its registry meanwhile. Without a registry npm retries for minutes. So npm is ended and run again
 * offline, from its cache, which succeeds or fails immediately.
 */
async function runWatched({ node, npm, args, cwd }) {
  const install = new AbortController();
  const question = new AbortController();
  const asked = registryError({ node, npm, cwd, signal: question.signal }).then((failure) => {
    if (failure !== undefined) install.abort();
    return failure;
  });
  const first = await run(node, [npm, ...args], { cwd, npm, signal: install.signal });
  if (first.code === 0) question.abort();
  const failure = await asked;
  if (first.code === 0 || failure === undefined) return first;
  return { ...(await run(node, [npm, ...args, "--offline"], { cwd, npm })), failure };
}

/**
 * Runs the install scripts of one package, as npm itself would have.
 *
 * @param {{ name: string, node: string, folder: string, scripts: string[] }} options the package's name and folder
 */
export async function runScripts({ name, node, folder, scripts }) {
  const npm = findNpm();
  for (const script of scripts) {
    const { code, output } = await run(node, [npm, "run", script], { cwd: folder, npm });
    if (code === 0) continue;
    process.stderr.write(output);
    throw new InstallError(`Script ${script} of package ${name} failed: see its output above, then retry.`);
  }
}

/** Why npm cannot reach its registry; undefined when it can, or when the check was cancelled. */
async function registryError({ node, npm, cwd, signal }) {
  const brief = ["--prefer-online", "--fetch-retries=0", "--fetch-timeout=10000"];
  const { code, output } = await run(node, [npm, "view", "node", "version", ...brief], { cwd, npm, signal });
  if (code === 0 || signal.aborted) return undefined;
  const ask = [npm, "config", "get", "registry", "--loglevel=silent"];
  const registry = await run(node, ask, { cwd, npm });
  const reason = /^npm error code (\S+)/m.exec(output)?.[1] ?? "no answer";
  return `npm cannot reach its registry ${registry.output.trim()} (${reason}). Check the network and try again.`;
}

function run(node, args, { cwd, npm, signal }) {
  return new Promise((resolve, reject) => {
    // This Node is first on PATH, because install scripts call `node` and `npm` by name.
    const path = [dirname(node), process.env.PATH, dirname(npm)].filter(Boolean).join(delimiter);
    const child = spawn(node, args, {
      cwd,
      env: { ...cleanEnvironment(), PATH: path },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const end = (name) => child.kill(name);
    const abort = () => child.kill("SIGTERM");
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => {
        output += chunk;
      });
    }
    child.once("error", reject);
    child.once("close", (code, by) => {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeListener(name, end);
      signal?.removeEventListener("abort", abort);
      if (by !== null) output += `npm was ended by ${by}.\n`;
      resolve({ code, output });
    });
  });
}

/** The environment without the variables that an outer `npm start` sets. */
function cleanEnvironment() {
  const entries = Object.entries(process.env);
  const outer = /^npm_(config_(local_prefix|global|prefix)|lifecycle_|package_|command|execpath)/;
  return Object.fromEntries(entries.filter(([name]) => !outer.test(name)));
}

function findNpm() {
  const given = process.env.npm_execpath;
  if (given?.endsWith("npm-cli.js") && existsSync(given)) return given;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = [...folders, dirname(process.execPath)].map((folder) => join(folder, "npm")).find(existsSync);
  if (found === undefined)
    throw new InstallError("npm is not installed. Install it (it comes with Node.js) and try again.");
  const real = realpathSync(found);
  if (real.endsWith(".js")) return real;
  const beside = join(dirname(real), "../lib/node_modules/npm/bin/npm-cli.js");
  if (existsSync(beside)) return beside;
  throw new InstallError(`npm at ${real} is not the npm that ships with Node.js. Run: npm start`);
}
