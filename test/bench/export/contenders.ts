import { spawn } from "node:child_process";
import { join } from "node:path";
import { migrate } from "@ngpu/db/migrate";
import getPort from "get-port";
import pg from "pg";
import { createDatabase, databaseUrl, dropDatabase } from "../../../scripts/embedded/databases.ts";
import { hashRows } from "./rows.ts";
import type { Run, Task } from "./run.ts";

/** A program that stores the events in Postgres, run as a separate process. */
export type Contender = {
  /** Name in the result. */
  name: "ngpu" | "sqd" | "ponder" | "limit";
  mode: Task["mode"];
  /** Working directory of the process. */
  cwd: string;
  /** Script in that directory. */
  program: string;
  /** Schema of its tables; undefined if its rows have another form and are not compared. */
  schema?: string;
};

/** A run's figures, and a hash of the rows of each table. */
export type Outcome = Run & { rows: Record<string, string> };

const ours = import.meta.dirname;

/** @param peers Directories of the installed peers; optional: without them only ngpu and the limit run. */
export function contenders(peers: { sqd: string; ponder: string } | undefined): Contender[] {
  const ngpu = { name: "ngpu", cwd: ours, program: "ngpu.ts", schema: "chain" } as const;
  const own: Contender[] = [
    { name: "limit", mode: "events", cwd: ours, program: "limit.ts" },
    { ...ngpu, mode: "events" },
    { ...ngpu, mode: "projections" },
  ];
  if (peers === undefined) return own;
  return [
    ...own,
    { name: "sqd", mode: "events", cwd: peers.sqd, program: "main.cjs", schema: "public" },
    { name: "ponder", mode: "events", cwd: peers.ponder, program: "main.mjs", schema: "indexed" },
  ];
}

/** Runs one contender in a new database, which is dropped afterwards. */
export async function runOnce(
  contender: Contender,
  cluster: string,
  task: Omit<Task, "databaseUrl" | "mode">,
): Promise<Outcome> {
  return inNewDatabase(contender, cluster, async (client, databaseUrl) => {
    const run = await spawnIndexer(contender, { ...task, databaseUrl, mode: contender.mode });
    const rows = contender.schema === undefined ? {} : await hashRows(client, contender.schema);
    return { ...run, rows };
  });
}

/** Creates a database, runs `work` and drops it. @param work Receives a superuser's connection and the contender's URL. */
export async function inNewDatabase<Result>(
  contender: Contender,
  cluster: string,
  work: (client: pg.Client, url: string) => Promise<Result>,
): Promise<Result> {
  const name = `bench_${contender.name}_${contender.mode}`;
  await dropDatabase(cluster, name);
  await createDatabase(cluster, name);
  const url = databaseUrl(cluster, name);
  const client = new pg.Client({ connectionString: url });
  try {
    if (contender.name === "ngpu") await migrate(url);
    await client.connect();
    // A contender does not pay for the writes of the previous one.
    await client.query("checkpoint");
    return await work(client, asWriter(contender, url));
  } finally {
    await client.end();
    await dropDatabase(cluster, name);
  }
}

function asWriter({ name }: Contender, url: string): string {
  if (name !== "ngpu") return url;
  const own = new URL(url);
  own.searchParams.set("options", "-c role=ngpu_autoexport");
  return own.href;
}

/** Runs a contender's process until it exits or the signal is aborted. */
export async function spawnIndexer(
  { name, cwd, program }: Contender,
  task: Task,
  signal?: AbortSignal,
): Promise<Run> {
  // ponder serves an API and does not choose a free port itself.
  const port = await getPort();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(cwd, program), JSON.stringify(task), `${port}`], {
      cwd,
      env: { PATH: process.env.PATH, DB_URL: task.databaseUrl },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      errors += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      const line = output.trim().split("\n").at(-1) ?? "";
      if (code === 0 && line.startsWith("{")) resolve(JSON.parse(line) as Run);
      else reject(new Error(`${name} exited with ${code}:\n${output.slice(-2_000)}${errors.slice(-2_000)}`));
    });
  });
}
