import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createChainClient } from "@ngpu/chain-reader/client";
import { abis } from "@ngpu/contracts-sdk/abis";
import { createPool } from "@ngpu/db/pool";
import { createLogger } from "@ngpu/runtime/logger";
import getPort from "get-port";
import { Registry } from "prom-client";
import { exportChain } from "../../../services/autoExport/exportLeader.ts";
import { createWatch } from "../../../services/autoExport/metrics.ts";
import { emitter } from "../export/events.ts";

/** An indexer that follows a chain into a database. */
export type Indexer = {
  /** Schema of its tables. */
  schema: string;
  /** The most severe error that it logged, or its exit code; undefined if there is neither. */
  worstError: () => string | undefined;
  stop: () => Promise<void>;
};

type Options = { rpcUrl: string; chainId: number; databaseUrl: string };

/** Starts autoExport with its own role. */
export function startNgpu({ rpcUrl, chainId, databaseUrl }: Options): Indexer {
  const url = new URL(databaseUrl);
  url.searchParams.set("options", "-c role=ngpu_autoexport");
  const pool = createPool({ url: url.href, name: "autoExport", max: 2 });
  const abort = new AbortController();
  let failure: unknown;
  const ended = exportChain({
    pool,
    client: createChainClient({ rpcUrls: [rpcUrl], chainId }),
    deployment: {
      chainId,
      startBlock: 1n,
      contracts: Object.fromEntries(Object.keys(abis).map((name) => [name, emitter])) as never,
      previous: [],
    },
    definitions: loadDefinitions(),
    watch: createWatch(new Registry()),
    logger: createLogger("autoExport", "silent"),
    signal: abort.signal,
  }).catch((error: unknown) => {
    failure = error;
  });
  return {
    schema: "chain",
    worstError: () => (failure === undefined ? undefined : String(failure)),
    stop: async () => {
      abort.abort();
      await ended;
      await pool.end();
    },
  };
}

/** Starts ponder as in production. @param folder Directory of ponder and the benchmark's program for it. */
export async function startPonder(
  folder: string,
  { rpcUrl, chainId, databaseUrl }: Options,
): Promise<Indexer> {
  const program = ["node_modules/ponder/dist/esm/bin/ponder.js", "start", "--schema", "indexed"];
  const port = `${await getPort()}`;
  const task = JSON.stringify({ rpcUrl, chainId, databaseUrl, address: emitter, startBlock: "1" });
  const child = spawn(process.execPath, [...program, "--log-format", "json", "--port", port], {
    cwd: folder,
    env: { PATH: process.env.PATH, TASK: task, PONDER_TELEMETRY_DISABLED: "true", DO_NOT_TRACK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let worst: { level: number; text: string | undefined } | undefined;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.once("exit", (code) => {
    worst ??= { level: 0, text: `exited with ${code}` };
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    const { level, msg, error } = JSON.parse(line) as {
      level: number;
      msg: string;
      error?: { message?: string };
    };
    if (level < 40 || level <= (worst?.level ?? 0)) return;
    worst = { level, text: [msg, error?.message].filter(Boolean).join(": ").split("\n")[0] };
  });
  return {
    schema: "indexed",
    worstError: () => worst?.text,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
