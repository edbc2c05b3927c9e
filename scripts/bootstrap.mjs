// `npm start` and `npm test` run this first: plain JavaScript for any Node from 20 on, without installed packages. It
// installs missing packages and runs the script on Node 24: bootstrap.mjs [--omit=dev] <script> [arguments]. With
// --omit=dev it installs only the packages that a market needs to run.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureBundles } from "./bootstrap/bundles/ensure.mjs";
import { isCompiled } from "./bootstrap/compiled.mjs";
import { ensureInstalled } from "./bootstrap/install.mjs";
import { InstallError } from "./bootstrap/npm.mjs";
import { installPrograms, marketPrograms, mayInstall, missingPrograms } from "./bootstrap/system.mjs";
import { isInstalled } from "./bootstrap/tree.mjs";

const OLDEST_NODE = 20;
const MARKET = "scripts/start/index.ts";
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");
// A market is a dozen processes that load the same code, so they share a compile cache.
const compileCache = process.env.NODE_COMPILE_CACHE ?? join(root, ".ngpu/compile-cache");

async function main() {
  const given = process.argv.slice(2);
  const omitsDev = given[0] === "--omit=dev";
  const [script, ...rest] = omitsDev ? given.slice(1) : given;
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    throw new InstallError(
      `Node ${process.version} is too old: install Node ${OLDEST_NODE} or newer and try again.`,
    );
  }
  if (script === undefined)
    throw new InstallError("Usage: node scripts/bootstrap.mjs [--omit=dev] <script> [arguments]");
  // Changed contracts have to be compiled, and the compiler is not among the packages for running.
  const dev = !omitsDev || !isCompiled(root);
  const beside = script === MARKET && !isInstalled(root, dev) ? installBeside() : undefined;
  try {
    await ensureInstalled(root, { dev });
  } catch (error) {
    await beside?.stop();
    throw error;
  }
  handOver(join(root, script), rest, { beside, bundles: await ensureBundles(root, join(bin, "node")) });
}

/**
 * Installs the system packages of a market while npm installs its packages. Errors are ignored here: the market waits for
 * a running installation, retries, and reports the error.
 */
function installBeside() {
  const programs = missingPrograms(marketPrograms(process.env));
  if (programs.length === 0 || !mayInstall()) return undefined;
  const abort = new AbortController();
  const packages = programs.flatMap((program) => program.packages).join(", ");
  process.stderr.write(`Installing ${packages} with apt-get\n`);
  const ended = installPrograms({ programs, print: () => {}, signal: abort.signal }).catch(() => undefined);
  const stop = async () => {
    abort.abort();
    await ended;
  };
  return { stop };
}

/** Runs the script on Node 24 and exits with its code or signal. */
function handOver(script, args, { beside, bundles }) {
  const { NODE_OPTIONS: given = "" } = process.env;
  // All programs inherit it.
  const options = bundles === undefined || given.includes(bundles) ? given : `${given} ${bundles}`.trim();
  const child = spawn(join(bin, "node"), [script, ...args], {
    stdio: "inherit",
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: compileCache,
      ...(options === "" ? {} : { NODE_OPTIONS: options }),
      PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter),
    },
  });
  // Ctrl-C in a terminal also reaches the child; a signal to this process alone does not. The two cannot be told apart
  // here. So SIGINT is forwarded as SIGTERM, which a child that is already stopping ignores. Only the terminal sends a
  // second SIGINT.
  process.on("SIGINT", () => child.kill("SIGTERM"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  if (process.env.npm_lifecycle_event !== undefined) whenOrphaned(() => child.kill("SIGTERM"));
  child.once("error", (error) => fail(new InstallError(`Cannot run Node 24 in ${bin}: ${error.message}`)));
  child.once("exit", async (code, signal) => {
    await beside?.stop();
    if (signal === null) process.exit(code);
    // Ends by the same signal, so that the shell sees it.
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1000);
  });
}

/** npm runs scripts in a shell. A signal that ends npm or the shell does not reach this process. */
function whenOrphaned(stop) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, 500);
  watch.unref();
}

function fail(error) {
  process.stderr.write(`${error instanceof InstallError ? error.message : error.stack}\n`);
  process.exit(1);
}

main().catch(fail);
