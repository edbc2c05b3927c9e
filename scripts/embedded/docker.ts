import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FatalError } from "@ngpu/runtime/errors";
import { dockerEngine } from "../bootstrap/system.mjs";
import { runToEnd } from "./command.ts";
import { daemonDir, type RunningDocker, startDaemon } from "./dockerDaemon.ts";
import { engineSocket, queryEngine, unusable } from "./dockerEngine.ts";
import { ensureProgram, findProgram, type Print, systemPath } from "./install.ts";

export type DockerOptions = {
  stateDir: string;
  print: Print;
  /** The engine to use, as in DOCKER_HOST. Default: that variable, else the usual socket. */
  dockerHost?: string | undefined;
  signal?: AbortSignal;
};

const START_DEADLINE_MS = 60_000;

/**
 * Finds the machine's Docker engine, or starts one: through systemd where it runs, else as a child process with its
 * data in `<stateDir>/docker`. Installs Docker first where it may. Pulls no image.
 *
 * @throws FatalError `docker_host_remote`, `docker_forbidden`, `docker_unresponsive`, `docker_not_running`, `docker_start_failed`, `docker_engine_conflict`,
 *   `program_not_installed`, `install_failed` or `process_failed`
 */
export async function startDocker(options: DockerOptions): Promise<RunningDocker> {
  const dockerHost = options.dockerHost ?? process.env.DOCKER_HOST;
  const socketPath = engineSocket(dockerHost);
  const answer = await queryEngine(socketPath);
  if (answer.kind === "answers") {
    return { socketPath, version: answer.version, startedByUs: false, stop: async () => {} };
  }
  if (answer.kind !== "absent") throw unusable(answer, socketPath);
  if (dockerHost !== undefined && dockerHost !== "") {
    throw new FatalError(`No Docker engine listens at ${socketPath}, where DOCKER_HOST points.`, {
      code: "docker_not_running",
      hint: "Start that engine, or unset DOCKER_HOST.",
    });
  }
  const dockerd = await ensureEngine(options);
  if (existsSync("/run/systemd/system")) return startUnit(socketPath);
  await refuseSecondEngine(options.stateDir);
  return startDaemon(dockerd, options);
}

/**
 * Two engines on one machine conflict over its bridge and firewall, so an engine of another checkout prevents a
 * second one.
 */
async function refuseSecondEngine(stateDir: string): Promise<void> {
  const own = join(daemonDir(stateDir), "docker.sock");
  for (const socket of globSync("/run/ngpu-*/docker.sock").filter((path) => path !== own)) {
    if ((await queryEngine(socket)).kind !== "answers") continue;
    throw new FatalError(
      `Another checkout runs a Docker engine at ${socket}, and a machine can run only one.`,
      {
        code: "docker_engine_conflict",
        hint: `Stop that market first, or set DOCKER_HOST=unix://${socket} to use its engine while it runs.`,
      },
    );
  }
}

async function ensureEngine({ print, signal }: DockerOptions): Promise<string> {
  if (process.getuid?.() !== 0 && findProgram("dockerd") !== undefined) {
    throw new FatalError("The Docker engine is installed but not running.", {
      code: "docker_not_running",
      hint: "Run: sudo systemctl start docker (or: sudo service docker start), then start again.",
    });
  }
  const cancel = signal ? { signal } : {};
  return ensureProgram({ ...dockerEngine, print, ...cancel });
}

async function startUnit(socketPath: string): Promise<RunningDocker> {
  const env = { ...process.env, PATH: systemPath() };
  const started = await runToEnd("systemctl", ["start", "docker.service"], { env });
  const deadline = Date.now() + START_DEADLINE_MS;
  while (started.code === 0 && Date.now() < deadline) {
    const answer = await queryEngine(socketPath);
    if (answer.kind === "answers") {
      const stop = async () => {
        await runToEnd("systemctl", ["stop", "docker.socket", "docker.service"], { env });
      };
      return { socketPath, version: answer.version, startedByUs: true, stop };
    }
    await delay(200);
  }
  throw new FatalError(`systemd could not start the Docker engine: ${started.output.trim()}`, {
    code: "docker_start_failed",
    hint: "Run: journalctl -u docker",
  });
}
