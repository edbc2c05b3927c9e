import { readlinkSync } from "node:fs";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExecOrder } from "@ngpu/protocol/exec";
import { InputError } from "@ngpu/runtime/errors";
import type Docker from "dockerode";
import { calling, type Engine, saidBy, statusOf } from "../docker/engine.ts";
import { partnerText } from "../reasons/partnerText.ts";

/** A command that runs in a container. */
export type ExecProcess = {
  /** Input and output. The output of a command without a terminal comes in the engine's frames. */
  io: Duplex;
  resize(columns: number, rows: number): Promise<void>;
  /** The exit code; null: the engine does not know it, because the container has stopped. */
  exitCode(): Promise<number | null>;
  kill(): Promise<void>;
};

/**
 * Starts a command in a container, as its user and within its limits.
 *
 * @throws InputError `exec_not_started`, with the engine's words.
 */
export async function startProcess(
  engine: Engine,
  containerId: string,
  { command, tty, columns, rows }: ExecOrder,
): Promise<ExecProcess> {
  const { docker } = engine;
  let exec: Docker.Exec;
  let io: Duplex;
  try {
    exec = await calling(docker, () =>
      docker.getContainer(containerId).exec({
        Cmd: command,
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Tty: tty,
        ...(tty ? { Env: ["TERM=xterm-256color"] } : {}),
      }),
    );
    io = await calling(docker, () => exec.start({ hijack: true, stdin: true, Tty: tty }));
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || status >= 500) throw error;
    throw notStarted(partnerText(saidBy(error), command), error);
  }
  // A shell that waits for input is silent.
  if ("setTimeout" in io) (io as Duplex & { setTimeout(ms: number): void }).setTimeout(0);
  const resize = async (w: number, h: number) => {
    await exec.resize({ w, h }).catch(() => undefined);
  };
  if (tty && columns !== undefined && rows !== undefined) await resize(columns, rows);
  return {
    io,
    resize,
    exitCode: () => exitCodeOf(exec),
    kill: async () => {
      const { Running, Pid } = await exec.inspect().catch(() => ({ Running: false, Pid: 0 }));
      if (Running && Pid > 0 && (await isIn(engine, containerId, Pid))) signal(Pid);
      io.destroy();
    },
  };
}

function notStarted(reason: string, cause: unknown): InputError {
  return new InputError(`${reason}.`, {
    code: "exec_not_started",
    hint: "Start the container first, or correct the command.",
    cause,
  });
}

/** @deadline The engine to know the exit code of a command whose output has ended. The session ends without one. */
const exitDeadline = 5_000;

/** Milliseconds between two checks for it. */
const exitPause = 50;

/** The output of a command may end before the engine knows that it has exited. */
async function exitCodeOf(exec: Docker.Exec): Promise<number | null> {
  const end = Date.now() + exitDeadline;
  for (;;) {
    const { ExitCode, Running } = await exec.inspect();
    if (!Running) return ExitCode;
    if (Date.now() > end) return null;
    await sleep(exitPause);
  }
}

/**
 * The engine cannot stop a command, so the client kills its process. It does so only while the process is in the container's
 * namespace of processes, which is not its own: the engine may run on another machine, or the number may be used again.
 */
async function isIn({ docker }: Engine, containerId: string, pid: number): Promise<boolean> {
  try {
    const { State } = await docker.getContainer(containerId).inspect();
    const [own, first, given] = ["self", State.Pid, pid].map((one) => readlinkSync(`/proc/${one}/ns/pid`));
    return first === given && given !== own;
  } catch {
    return false;
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended, or the client may not kill it: it ends with its container.
  }
}
