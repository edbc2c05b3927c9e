import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Trial, Verdict } from "../../../scripts/chaos/subject.ts";

/*
 * The node client is killed with SIGKILL after random steps, while three workspaces run on it and two of them are stopped, started
 * and moved. Meanwhile its Docker engine is killed and restarted, its disk fills up and its tunnels break. The chain, match, the
 * gateway, the registry and the engine are real. Afterwards the engine's containers must be those of the leases on the chain.
 *
 * The trial runs in its own network and mount namespaces: two engines in one conflict over the bridge and the firewall rules.
 */

/** What the trial's process prints, one JSON document a line. */
export type TrialLine = { done: number; doing: string } | { verdict: Verdict };

const program = join(import.meta.dirname, "trial.ts");
const namespaces = ["--mount", "--net", "sh", "-c"];
const inside = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';

/** The trial needs root: for namespaces, mounts and the engine. */
export const canRun = () => process.getuid?.() === 0;

export async function run({ kills, seed, minutes, signal, progress }: Trial): Promise<Verdict> {
  if (!canRun()) throw new Error("This trial starts a Docker engine, which requires root: run it with sudo.");
  const order = JSON.stringify({ kills, seed, minutes });
  const args = [...namespaces, inside, "sh", process.execPath, program, order];
  // Databases of another network namespace cannot be reached.
  const { TEST_DATABASE_URL: _database, TEST_REDIS_URL: _redis, ...env } = process.env;
  const child = spawn("unshare", args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  const ended = once(child, "exit");
  let verdict: Verdict | undefined;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = trialLineOf(text);
    if (line === undefined) process.stderr.write(`${text}\n`);
    else if ("verdict" in line) verdict = line.verdict;
    else progress(line.done, line.doing);
  }
  await ended;
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (verdict === undefined) throw new Error("The trial ended without a verdict; its output says why.");
  return verdict;
}

/** Undefined for other output: the log of the trial's own parts. */
function trialLineOf(text: string): TrialLine | undefined {
  if (!text.startsWith("{")) return undefined;
  const line = JSON.parse(text) as TrialLine;
  return "verdict" in line || "done" in line ? line : undefined;
}
