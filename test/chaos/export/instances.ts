import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { rootDir } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";

type Instance = {
  child: ChildProcess;
  role: "starting" | "standby" | "leader";
  /** Number of times it stored blocks. */
  stored: number;
  killed: boolean;
};

export type Instances = ReturnType<typeof startInstances>;

const program = join(rootDir, "services/autoExport/index.ts");
const restartPauseMs = 200;

/**
 * Keeps `options.count` processes of autoExport running: a process that exits, killed or not, is restarted.
 *
 * @param options.logFile File to which their output is appended.
 */
export function startInstances(options: { count: number; env: Record<string, string>; logFile: string }) {
  const slots: (Instance | undefined)[] = [];
  let stopping = false;
  let leaderDiedAt: number | undefined;
  // Starts that failed because Postgres or the chain was unavailable.
  let failedStarts = 0;
  const takeovers: number[] = [];
  const chainErrors = new Map<string, number>();
  let reorgs = 0;

  function launch(slot: number): void {
    if (stopping) return;
    const child = spawn(process.execPath, [program], {
      env: { ...programEnv(), LOG_LEVEL: "debug", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const instance: Instance = { child, role: "starting", stored: 0, killed: false };
    slots[slot] = instance;
    createInterface({ input: child.stdout }).on("line", (line) => readLogLine(instance, line));
    child.stderr.on("data", (chunk: Buffer) => appendFileSync(options.logFile, chunk));
    child.once("exit", () => {
      if (!instance.killed && !stopping) failedStarts += 1;
      if (slots[slot] === instance) slots[slot] = undefined;
      setTimeout(() => launch(slot), restartPauseMs).unref();
    });
  }

  function readLogLine(instance: Instance, line: string): void {
    if (!line.startsWith("{")) return;
    const { event, code } = JSON.parse(line) as { event?: string; code?: string };
    if (event === "service_started" && instance.role === "starting") instance.role = "standby";
    if (event === "blocks_stored") instance.stored += 1;
    else if (event === "chain_error") chainErrors.set(code ?? "", (chainErrors.get(code ?? "") ?? 0) + 1);
    else if (event === "chain_reorg") reorgs += 1;
    else if (event === "export_interrupted") instance.role = "standby";
    else appendFileSync(options.logFile, `${line}\n`);
    if (event !== "export_leading") return;
    instance.role = "leader";
    if (leaderDiedAt !== undefined) takeovers.push(performance.now() - leaderDiedAt);
    leaderDiedAt = undefined;
  }

  // Kills the instances when this process exits.
  process.on("exit", () => {
    for (const instance of slots) instance?.child.kill("SIGKILL");
  });
  for (let slot = 0; slot < options.count; slot++) launch(slot);

  const running = () => slots.filter((instance) => instance !== undefined);
  return {
    leader: () => running().find(({ role, killed }) => role === "leader" && !killed),
    others: () => running().filter(({ role, killed }) => role !== "leader" && !killed),
    kill: (instance: Instance) => {
      instance.killed = true;
      const standby = running().some((other) => other !== instance && other.role === "standby");
      if (instance.role === "leader" && standby) leaderDiedAt = performance.now();
      instance.child.kill("SIGKILL");
    },
    /** Discards the current takeover measurement. Call it when Postgres restarts: the time is not the instances'. */
    discardTakeover: () => {
      leaderDiedAt = undefined;
    },
    figures: () => ({
      failedStarts,
      takeovers: [...takeovers],
      chainErrors: Object.fromEntries(chainErrors),
      reorgs,
    }),
    stop: async () => {
      stopping = true;
      await Promise.all(
        running().map(({ child }) => {
          const ended = new Promise((resolve) => child.once("exit", resolve));
          child.kill("SIGKILL");
          return ended;
        }),
      );
    },
  };
}
