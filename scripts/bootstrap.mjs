// The first thing that `npm start` and `npm test` run: plain JavaScript for whatever Node (20 or newer) is there, with
// nothing installed. It installs what is missing and hands over to Node 24: bootstrap.mjs <script> [arguments]
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./bootstrap/install.mjs";
import { InstallError } from "./bootstrap/npm.mjs";

const OLDEST_NODE = 20;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");

async function main() {
  const [script, ...rest] = process.argv.slice(2);
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    throw new InstallError(
      `Node ${process.version} is too old: install Node ${OLDEST_NODE} or newer and try again.`,
    );
  }
  if (script === undefined) throw new InstallError("Usage: node scripts/bootstrap.mjs <script> [arguments]");
  await ensureInstalled(root);
  handOver(join(root, script), rest);
}

/** Runs the script on Node 24 and ends as it ends. */
function handOver(script, args) {
  const child = spawn(join(bin, "node"), [script, ...args], {
    stdio: "inherit",
    env: { ...process.env, PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter) },
  });
  // Ctrl-C in a terminal reaches the child too, a signal to this process alone does not, and the two look the same
  // from here. So SIGINT is passed on as SIGTERM: to a child that is stopping already it says nothing new, and a second
  // Ctrl-C stays something that only the terminal gives.
  process.on("SIGINT", () => child.kill("SIGTERM"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  if (process.env.npm_lifecycle_event !== undefined) whenOrphaned(() => child.kill("SIGTERM"));
  child.once("error", (error) => fail(new InstallError(`Cannot run Node 24 in ${bin}: ${error.message}`)));
  child.once("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    // So that the shell sees the true reason.
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1000);
  });
}

/** npm runs scripts in a shell, and a signal that ends npm or the shell does not reach us. */
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
