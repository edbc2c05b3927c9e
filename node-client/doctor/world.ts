import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "@ngpu/runtime/errors";
import Docker from "dockerode";
import type { readLocalEnv } from "../env.ts";
import { fetchNetwork, type Network } from "../network.ts";
import { runTool, type ToolOutput } from "../probe/tool.ts";

export type LocalEnv = ReturnType<typeof readLocalEnv> & { NGPU_API?: string | undefined };

/** @deadline The Docker engine to describe itself to the doctor. It reports `engine_silent`. */
const engineDeadline = 10_000;
/** @deadline A driver's tool or a firewall's program that the doctor runs. The program counts as failed. */
const toolDeadline = 15_000;

/** What the engine says of itself, or why it says nothing. */
export type EngineReading =
  | { info: EngineInfo; version: { Version: string; ApiVersion: string } }
  | { failure: string; errno: string | undefined };

export type EngineInfo = {
  DockerRootDir: string;
  Driver: string;
  Runtimes?: Record<string, unknown>;
  MemoryLimit: boolean;
  PidsLimit: boolean;
  CpuCfsQuota: boolean;
  SecurityOptions?: string[];
  /** Empty without a proxy; a password in it is masked by the engine. */
  HttpProxy?: string;
  HttpsProxy?: string;
};

/** The machine as the checks see it. Each reading is made once, and shared. */
export type World = {
  env: LocalEnv;
  /** Root of /proc, /sys and /etc. */
  root: string;
  /** The text of a file below the root. Undefined: it cannot be read. */
  file(path: string): string | undefined;
  /** Runs a program found on PATH. Undefined: there is none. */
  tool(program: string, args: string[]): Promise<ToolOutput | undefined>;
  engine(): Promise<EngineReading>;
  network(): Promise<Network | undefined>;
};

/** The world of this machine. @param options.root Another root for /proc, /sys and /etc. */
export function openWorld(env: LocalEnv, options: { root?: string } = {}): World {
  const root = options.root ?? "/";
  const ran = new Map<string, Promise<ToolOutput | undefined>>();
  const once = <T>(read: () => Promise<T>) => {
    let reading: Promise<T> | undefined;
    return () => (reading ??= read());
  };
  return {
    env,
    root,
    file: (path) => {
      try {
        return readFileSync(join(root, path), "utf8");
      } catch {
        return undefined;
      }
    },
    tool: (program, args) => {
      const command = [program, ...args].join(" ");
      const running = ran.get(command) ?? runTool(program, args, toolDeadline);
      ran.set(command, running);
      return running;
    },
    engine: once(() => readEngine(env.NODE_DOCKER_SOCKET)),
    network: once(async () =>
      env.NGPU_API === undefined ? undefined : await fetchNetwork(env.NGPU_API).catch(() => undefined),
    ),
  };
}

async function readEngine(socketPath: string): Promise<EngineReading> {
  const docker = new Docker({ socketPath, timeout: engineDeadline });
  try {
    const [info, version] = await Promise.all([docker.info(), docker.version()]);
    return { info: info as EngineInfo, version };
  } catch (error) {
    return { failure: messageOf(error), errno: (error as NodeJS.ErrnoException).code };
  }
}
