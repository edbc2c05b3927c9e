import { spawn } from "node:child_process";
import { join } from "node:path";
import { migrate } from "@ngpu/db/migrate";
import getPort from "get-port";
import pg from "pg";
import { createDatabase, databaseUrl, dropDatabase } from "../../../scripts/embedded/databases.ts";
import { hashRows } from "./rows.ts";
import type { Run, Task } from "./run.ts";

/** One way of getting the events into Postgres, in a process of its own. */
export type Contender = {
  /** As it stands in the result. */
  name: "ngpu" | "sqd" | "ponder" | "limit";
  mode: Task["mode"];
  /** Folder and arguments of the node process, before the task. */
  cwd: string;
  program: string;
  /** Where its tables are; none: its rows are not of the same form. */
  schema?: string;
};

/** A run's figures, and a hash of the rows of each table. */
export type Outcome = Run & { rows: Record<string, string> };

const ours = import.meta.dirname;

/** @param peers Where the peers are installed; none: ngpu and the limit alone. */
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

/** Lets one contender fill a new database, which is dropped afterwards. */
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

/** @param work Gets a superuser's connection, and the database's URL for the contender. */
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
    // So that nobody pays for what the one before wrote.
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

/** Runs a contender's process to its end, or until the signal is aborted. */
export async function spawnIndexer(
  { name, cwd, program }: Contender,
  task: Task,
  signal?: AbortSignal,
): Promise<Run> {
  // ponder serves an API meanwhile, and takes no free port by itself.
  const port = await getPort();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(cwd, program), JSON.stringify(task), `${port}`], {
      cwd,
      env: { PATH: process.env.PATH, DB_URL: task.databaseUrl },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    let said = "";
    let faults = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      faults += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      const line = said.trim().split("\n").at(-1) ?? "";
      if (code === 0 && line.startsWith("{")) resolve(JSON.parse(line) as Run);
      else reject(new Error(`${name} ended with ${code}:\n${said.slice(-2_000)}${faults.slice(-2_000)}`));
    });
  });
}
