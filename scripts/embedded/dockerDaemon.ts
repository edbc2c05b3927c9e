import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { queryEngine } from "./dockerEngine.ts";
import { systemPath } from "./install.ts";
import { unmountBelow } from "./mounts.ts";
import { type RunningProcess, startProcess } from "./process.ts";

export type DaemonOptions = {
  stateDir: string;
  signal?: AbortSignal;
};

export type RunningDocker = {
  socketPath: string;
  version: string;
  /** False for an engine that was already running; `stop` does not stop it. */
  startedByUs: boolean;
  /** The engine's process, if this program started it. */
  process?: RunningProcess;
  stop: () => Promise<void>;
};

const MACHINE_SETTINGS = "/etc/docker/daemon.json";
const START_DEADLINE_MS = 60_000;

/**
 * Starts a Docker engine as a child process, with its data in `<stateDir>/docker`. Stopping it stops its containers.
 *
 * @throws FatalError `process_failed`, or `docker_config_invalid` when the machine's settings cannot be read
 */
export async function startDaemon(dockerd: string, options: DaemonOptions): Promise<RunningDocker> {
  const { runDir, dataRoot, configFile, socketPath } = configure(options);
  let version = "";
  const child = await startProcess({
    name: "docker",
    command: dockerd,
    args: ["--config-file", configFile],
    stateDir: options.stateDir,
    env: { ...process.env, PATH: systemPath() },
    ready: async () => {
      const answer = await queryEngine(socketPath);
      if (answer.kind === "answers") version = answer.version;
      return answer.kind === "answers";
    },
    readyDeadlineMs: START_DEADLINE_MS,
    // The engine stops its containers first, and waits 15 s for each that ignores the signal.
    stopDeadlineMs: 30_000,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const stop = async () => {
    await child.stop();
    for (const directory of [dataRoot, runDir]) await unmountBelow(directory);
    rmSync(runDir, { recursive: true, force: true });
  };
  return { socketPath, version, startedByUs: true, process: child, stop };
}

/** Directory of the engine's socket. It is under /run because a socket's path is limited to about 100 characters. */
export function daemonDir(stateDir: string): string {
  mkdirSync(stateDir, { recursive: true });
  const id = createHash("sha256").update(realpathSync(stateDir)).digest("hex").slice(0, 12);
  return `/run/ngpu-${id}`;
}

function configure({ stateDir }: DaemonOptions) {
  const runDir = daemonDir(stateDir);
  // Other users may enter: the socket's own mode decides who may use the engine.
  mkdirSync(runDir, { recursive: true, mode: 0o711 });
  const socketPath = join(runDir, "docker.sock");
  const configFile = join(runDir, "daemon.json");
  const dataRoot = join(realpathSync(stateDir), "docker");
  const pidfile = join(runDir, "docker.pid");
  // A killed engine leaves the file, and the next one would not start. startProcess has ended an engine that still
  // runs.
  rmSync(pidfile, { force: true });
  const all = {
    ...machineSettings(),
    hosts: [`unix://${socketPath}`],
    "data-root": dataRoot,
    "exec-root": join(runDir, "exec"),
    pidfile,
    "live-restore": false,
  };
  writeFileSync(configFile, JSON.stringify(all), { mode: 0o600 });
  return { runDir, dataRoot, configFile, socketPath };
}

/** The owner's settings for Docker engines on this machine, such as a GPU runtime. */
function machineSettings(): Record<string, unknown> {
  if (!existsSync(MACHINE_SETTINGS)) return {};
  try {
    return JSON.parse(readFileSync(MACHINE_SETTINGS, "utf8")) as Record<string, unknown>;
  } catch (cause) {
    throw new FatalError(`${MACHINE_SETTINGS} is not JSON.`, {
      code: "docker_config_invalid",
      hint: `Correct ${MACHINE_SETTINGS}.`,
      cause,
    });
  }
}
