import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import Docker from "dockerode";
import { signalGroup } from "../../scripts/embedded/leftovers.ts";
import { rootDir } from "../support/parts.ts";
import { processes } from "../support/processes.ts";

export type Ended = { code: number | null; signal: NodeJS.Signals | null };

/** A running `npm start` in its own process group, as in a user's terminal. */
export type Start = {
  pid: number;
  stdout: () => string;
  stderr: () => string;
  ended: Promise<Ended>;
  /** Resolves when stdout or stderr contains the text; rejects when the process ends first. */
  saw: (text: string) => Promise<void>;
  /** Sends SIGINT to the whole group, as Ctrl-C does. */
  interrupt: () => void;
  /** Pid of the program itself, below npm, the shell and the bootstrap. */
  program: () => number;
};

const started: ChildProcess[] = [];

/** Runs `npm start -- <args>` with the test's own environment and the given variables. */
export function npmStart(args: string[], env: Record<string, string> = {}): Start {
  const child = spawn("npm", ["start", "--", ...args], {
    cwd: rootDir,
    env: { ...inherited(), ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  const { pid } = child;
  if (pid === undefined) throw new Error("npm cannot be run.");
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
    });
  }
  const ended = once(child, "close").then(([code, signal]): Ended => ({ code, signal }));
  const saw = async (text: string) => {
    let over: Ended | undefined;
    void ended.then((end) => {
      over = end;
    });
    while (!output.stdout.includes(text) && !output.stderr.includes(text)) {
      if (over !== undefined) {
        throw new Error(`npm start ended (${JSON.stringify(over)}) before it printed ${JSON.stringify(text)}:
${output.stdout}
${output.stderr}`);
      }
      await delay(50);
    }
  };
  return {
    pid,
    ended,
    saw,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    interrupt: () => signalGroup(pid, "SIGINT"),
    program: () => programOf(pid),
  };
}

/** Kills what a failed test left running. */
export async function endStarted(): Promise<void> {
  for (const child of started.splice(0)) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
    const closed = once(child, "close");
    signalGroup(child.pid, "SIGTERM");
    await closed;
  }
}

/** A new state directory for one market. */
export function stateDir(): string {
  return mkdtempSync(join(tmpdir(), "ngpu-e2e-"));
}

export function removeDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** The environment without variables that configure a market or belong to the outer npm run. */
function inherited(): NodeJS.ProcessEnv {
  const configured = [
    "CHAIN_RPC_URLS",
    "DEPLOYER_KEY",
    "DATABASE_ADMIN_URL",
    "REDIS_URL",
    "INIT_CWD",
    "NO_COLOR",
  ];
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !configured.includes(name) && !/^npm_/i.test(name) && !name.startsWith("TEST_"),
    ),
  );
}

/** Command lines of processes that refer to this directory. */
export function processesOf(dir: string): string[] {
  return processes()
    .filter(({ text }) => text.includes(dir))
    .map(({ pid, command }) => `${pid} ${command}`);
}

function programOf(group: number): number {
  const found = processes().find(
    (one) => one.group === group && /^\S*node \S*scripts\/start\/index\.ts/.test(one.command),
  );
  if (found === undefined) throw new Error(`No start program runs in group ${group}.`);
  return found.pid;
}

/** Ids of the containers of the market in this directory, running or not. */
export async function containersOf(dir: string): Promise<string[]> {
  const { docker, filters } = engineOf(dir);
  return (await docker.listContainers({ all: true, filters })).map(({ Id }) => Id);
}

async function networksOf(dir: string): Promise<string[]> {
  const { docker, filters } = engineOf(dir);
  return (await docker.listNetworks({ filters })).map(({ Name }) => Name);
}

/** Names of images of the market's own registry in the engine. */
async function imagesOf(dir: string): Promise<string[]> {
  const { docker } = engineOf(dir);
  const images = await docker.listImages();
  const registry = `127.0.0.1:${ports(dir).registry}/`;
  return images.flatMap(({ RepoDigests }) => RepoDigests ?? []).filter((name) => name.startsWith(registry));
}

function engineOf(dir: string) {
  const { contracts } = parseDeployment(JSON.parse(readFileSync(join(dir, "deployment.json"), "utf8")));
  const filters = { label: [`ngpu.market=${contracts.ComputeNode.slice(2, 10).toLowerCase()}`] };
  return { docker: new Docker({ socketPath: engineSocket() }), filters };
}

/** The engine's socket of the markets in these tests. */
export function engineSocket(): string {
  const host = process.env.DOCKER_HOST;
  return host?.startsWith("unix://") ? host.slice("unix://".length) : "/var/run/docker.sock";
}

/** True when a process listens on the port. */
async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    // Connection refused.
    return false;
  } finally {
    socket.destroy();
  }
}

/** Ports of the market in this directory. */
function ports(dir: string): Record<string, number> {
  return JSON.parse(readFileSync(join(dir, "ports.json"), "utf8")) as Record<string, number>;
}

/** Remaining processes, ports, records and engine objects of the market in this directory; empty after a clean end. */
export async function leftovers(dir: string): Promise<string[]> {
  const open = await Promise.all(
    Object.values(ports(dir)).map(async (port) => ((await isOpen(port)) ? [`port ${port} is open`] : [])),
  );
  const records = readdirSync(join(dir, "run"));
  const engine = await Promise.all([containersOf(dir), networksOf(dir), imagesOf(dir)]);
  return [...processesOf(dir), ...engine.flat(), ...open.flat(), ...records];
}

/** The last line of a text, parsed. */
export function lastLine(text: string): unknown {
  return JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
}
