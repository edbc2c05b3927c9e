// Runs npm, silent unless it fails.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** An error whose message is all that the user needs. */
export class InstallError extends Error {}

/**
 * Runs npm under a given Node, and says so in one line.
 *
 * @param {{ what: string, node: string, args: string[], cwd: string }} options `what` is being installed
 */
export async function runNpm({ what, node, args, cwd }) {
  const npm = findNpm();
  const began = performance.now();
  process.stderr.write(`Installing ${what} ...`);
  // Without its registry npm tries for minutes; told so, it takes what it has stored or fails at once.
  const fault = await registryFault(node, npm, cwd);
  const offline = fault === undefined ? [] : ["--offline"];
  const { code, output } = await run(node, [npm, ...args, ...offline], cwd, dirname(npm));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stderr.write(code === 0 ? ` ${seconds} s\n` : ` failed after ${seconds} s\n`);
  if (code === 0) return;
  if (fault !== undefined) throw new InstallError(`Could not install ${what}: ${fault}`);
  process.stderr.write(output);
  throw new InstallError(`Could not install ${what}: see what npm says above, then try again.`);
}

/** What keeps npm from its registry, undefined when nothing does. */
async function registryFault(node, npm, cwd) {
  const brief = ["--prefer-online", "--fetch-retries=0", "--fetch-timeout=10000"];
  const { code, output } = await run(node, [npm, "view", "node", "version", ...brief], cwd, dirname(npm));
  if (code === 0) return undefined;
  const registry = await run(
    node,
    [npm, "config", "get", "registry", "--loglevel=silent"],
    cwd,
    dirname(npm),
  );
  const reason = /^npm error code (\S+)/m.exec(output)?.[1] ?? "no answer";
  return `npm cannot reach its registry ${registry.output.trim()} (${reason}). Check the network and try again.`;
}

function run(node, args, cwd, npmDir) {
  return new Promise((resolve, reject) => {
    // The Node that is meant comes first, because install scripts call `node` and `npm` by name.
    const path = [dirname(node), process.env.PATH, npmDir].filter(Boolean).join(delimiter);
    const child = spawn(node, args, {
      cwd,
      env: { ...cleanEnvironment(), PATH: path },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const end = (signal) => child.kill(signal);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => {
        output += chunk;
      });
    }
    child.once("error", reject);
    child.once("close", (code, signal) => {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeListener(name, end);
      if (signal !== null) output += `npm was ended by ${signal}.\n`;
      resolve({ code, output });
    });
  });
}

/** Without what an outer `npm start` tells its scripts about itself. */
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
  throw new InstallError(`npm at ${real} is not what comes with Node.js. Start with: npm start`);
}
