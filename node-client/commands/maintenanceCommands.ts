import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FatalError, InputError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import type { Command } from "commander";
import { z } from "zod";
import { readNodeEnv } from "../env.ts";
import { marketUrl } from "../network.ts";
import { version } from "../version.ts";
import { drainNode } from "./operatorCommands.ts";

/** @deadline The market's API to send a release's manifest or the install script. The command fails, and changes nothing. */
const fetchDeadline = 30_000;

const manifest = z.object({ version: z.string() });

/** The script that installed this client, beside it. */
const installed = () => join(import.meta.dirname, "install.sh");

/** Adds the commands that replace or remove the installed client. */
export function addMaintenanceCommands(program: Command): void {
  program
    .command("update")
    .description("install the market's release of the client; leases run on, settings and key stay")
    .option("--check", "print the installed and the released version, and change nothing")
    .option("--json", "with --check: as JSON")
    .action(update);
  program
    .command("uninstall")
    .description("drain the node, then remove the client; key and settings stay")
    .option("--purge", "also remove the key and the settings")
    .option("--now", "do not drain: the containers of present leases are ended")
    .action(uninstall);
}

async function update({ check, json }: { check?: true; json?: true }): Promise<void> {
  const { NGPU_API: api } = readNodeEnv();
  if (check) {
    const released = await releasedVersion(api);
    const answer = { installed: version, released, current: released === version };
    const state = answer.current ? "It is the market's release." : "Install it with: sudo ngpu-node update";
    process.stdout.write(
      json ? `${JSON.stringify(answer)}\n` : `Installed ${version}, released ${released}. ${state}\n`,
    );
    return;
  }
  requireRoot("update");
  const script = await fetchText(marketUrl(api, "install_mcNode.sh"));
  await runScript((path) => writeFileSync(path, script), []);
}

async function uninstall({ purge, now }: { purge?: true; now?: true }): Promise<void> {
  requireRoot("uninstall");
  if (!existsSync(installed())) {
    throw new InputError("This client was not installed by the install script.", {
      code: "client_not_installed",
      hint: "Run the ngpu-node that is on PATH, or remove the checkout.",
    });
  }
  if (!now) await drainFirst();
  // The script removes its own directory.
  await runScript((path) => copyFileSync(installed(), path), ["--uninstall", ...(purge ? ["--purge"] : [])]);
}

/** A client that does not run has no leases to move. */
async function drainFirst(): Promise<void> {
  try {
    await drainNode({ wait: true });
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    process.stdout.write("The client does not run: there is nothing to drain.\n");
  }
}

function requireRoot(command: string): void {
  if (process.getuid?.() === 0) return;
  throw new InputError(`ngpu-node ${command} requires root.`, {
    code: "root_required",
    hint: `Run: sudo ngpu-node ${command}`,
  });
}

async function releasedVersion(api: string): Promise<string> {
  const url = marketUrl(api, "client/manifest.json");
  const parsed = manifest.safeParse(parseJson(await fetchText(url)));
  if (parsed.success) return parsed.data.version;
  throw new FatalError(`${url.href} is not the manifest of a release.`, {
    code: "release_invalid",
    hint: "Check NGPU_API, or ask the market's operator.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws RetryableError `api_unreachable` */
async function fetchText(url: URL): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(fetchDeadline) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.text();
  } catch (error) {
    throw new RetryableError(`The market's API at ${url.href} does not respond: ${messageOf(error)}.`, {
      code: "api_unreachable",
      hint: "Check NGPU_API and that the market is running.",
      cause: error,
    });
  }
}

/** Runs the install script from a directory of its own. The command ends with the script's exit code. */
async function runScript(write: (path: string) => void, args: readonly string[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "ngpu-node-"));
  try {
    const path = join(directory, "install.sh");
    write(path);
    const child = spawn("sh", [path, ...args], { stdio: "inherit" });
    const [code] = await once(child, "exit");
    process.exitCode = code ?? 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
