import { join } from "node:path";
import { startProcess } from "../embedded/process.ts";
import type { Market } from "./market.ts";
import { supervise } from "./supervise/supervisor.ts";

/** The environment of one program: the inherited variables that it needs, and no others. */
export function baseEnvironment(market: Pick<Market, "logLevel">): Record<string, string> {
  const kept = [
    "PATH",
    "HOME",
    "TZ",
    "LANG",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "NODE_COMPILE_CACHE",
    "NODE_OPTIONS",
  ];
  const inherited = kept.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(inherited), LOG_LEVEL: market.logLevel, NODE_ENV: "production" };
}

/** Starts a program of this checkout, waits for its /healthz, and restarts it when it ends, until the market stops. */
export async function startProgram(
  market: Market,
  program: {
    name: string;
    /** Programs of a group stop together. */
    group: "services" | "clients";
    entry: string;
    args: string[];
    env: Record<string, string>;
    healthUrl: string;
    /** Called when it responds, healthy or not. */
    onAnswer?: (() => void) | undefined;
  },
): Promise<void> {
  const start = (signal: AbortSignal) =>
    startProcess({
      name: program.name,
      command: process.execPath,
      args: [join(market.rootDir, program.entry), ...program.args],
      cwd: market.rootDir,
      stateDir: market.stateDir,
      env: program.env,
      ready: async (signal, pid) => {
        const response = await fetch(program.healthUrl, { signal });
        // Another program may have taken the port meanwhile and respond instead.
        if (((await response.json()) as { pid?: number }).pid !== pid) return false;
        program.onAnswer?.();
        return response.ok;
      },
      readyDeadlineMs: 60_000,
      stopDeadlineMs: 20_000,
      signal,
    });
  market.onStop(program.name, await supervise(market.supervision, program.name, start), program.group);
}
