import { readdirSync, readFileSync } from "node:fs";

/** Programs of the market, by what their command line contains. */
const programs: readonly [name: string, part: string][] = [
  ["apiServer", "test/chaos/api/server.ts"],
  ["gateway", "services/gateway/index.ts"],
  ["node client", "nodeProgram.ts"],
  ["backend", "gateway/backend.ts"],
  ["Postgres", "postgres"],
  ["Redis", "redis-server"],
];

/** Microseconds of a tick of /proc: Linux always shows 100 a second. */
const tick = 10_000;

/** Processor time in µs, user and system, of the programs that this process started, and of those that they started. */
export function cpuTimes(): Map<string, number> {
  const processes = new Map(readdirSync("/proc").flatMap((name) => processOf(name)));
  const isOurs = (pid: number): boolean =>
    pid === process.pid || (processes.has(pid) && isOurs(processes.get(pid)?.parent ?? 0));
  const times = new Map<string, number>();
  for (const [pid, { command, micros }] of processes) {
    const name = programs.find(([, part]) => command.includes(part))?.[0];
    if (name !== undefined && isOurs(pid)) times.set(name, (times.get(name) ?? 0) + micros);
  }
  return times;
}

type Found = { parent: number; command: string; micros: number };

function processOf(name: string): [number, Found][] {
  if (!/^\d+$/.test(name)) return [];
  try {
    const stat = readFileSync(`/proc/${name}/stat`, "utf8");
    // The name of the program, in parentheses, may contain anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const parent = Number(fields[1]);
    // Its own user and system time, and that of its processes that have ended.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
    return [[Number(name), { parent, command, micros: ticks * tick }]];
  } catch {
    // It has ended.
    return [];
  }
}

/** µs of processor time that each program took per call. */
export function cpuPerCall(before: Map<string, number>, calls: number): Record<string, number> {
  const spent = [...cpuTimes()].map(([name, micros]) => [
    name,
    Math.round((micros - (before.get(name) ?? 0)) / calls),
  ]);
  return Object.fromEntries(spent);
}
