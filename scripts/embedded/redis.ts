import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { redisServer } from "../bootstrap/system.mjs";
import { ensureProgram, type Print } from "./install.ts";
import { choosePort } from "./ports.ts";
import { type RunningProcess, startProcess } from "./process.ts";

export type RedisOptions = {
  stateDir: string;
  print: Print;
  port?: number | undefined;
  /** Option that chooses the port, for the error message. Default `--redis-port`. */
  portOption?: string;
  /** Default: a random one. */
  password?: string;
  signal?: AbortSignal;
};

export type RunningRedis = { url: string; port: number; process: RunningProcess; stop: () => Promise<void> };

/**
 * Starts the system's redis-server on 127.0.0.1 with a random password; installs it first where it may. It stores
 * nothing on disk, because Redis holds no fact.
 *
 * @throws FatalError `port_in_use`, `program_not_installed`, `install_failed` or `process_failed`
 */
export async function startRedis(options: RedisOptions): Promise<RunningRedis> {
  const { print, stateDir } = options;
  const cancel = options.signal ? { signal: options.signal } : {};
  const port = await choosePort({ option: options.portOption ?? "--redis-port", port: options.port });
  const command = await ensureProgram({ ...redisServer, print, ...cancel });
  const homeDir = join(stateDir, "redis");
  mkdirSync(homeDir, { recursive: true, mode: 0o700 });
  const { password = randomBytes(24).toString("hex") } = options;
  const url = `redis://:${password}@127.0.0.1:${port}`;
  // The password is in a file, because every user of the machine may read command lines.
  const configFile = join(homeDir, "redis.conf");
  writeFileSync(configFile, configuration(port, password), { mode: 0o600 });
  const child = await startProcess({
    name: "redis",
    command,
    args: [configFile],
    stateDir,
    cwd: homeDir,
    ready: () => answers(url),
    ...cancel,
  });
  return { url, port, process: child, stop: child.stop };
}

function configuration(port: number, password: string): string {
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    "daemonize no",
    "appendonly no",
    'save ""',
    // The queues require it: a full Redis rejects writes instead of losing jobs.
    "maxmemory-policy noeviction",
    // The market needs one database; each test suite uses its own.
    "databases 256",
  ];
  return `${lines.join("\n")}\n`;
}

async function answers(url: string): Promise<boolean> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2000 });
  // connect() throws the same error, and it is handled there.
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    return (await redis.ping()) === "PONG";
  } finally {
    redis.disconnect();
  }
}
