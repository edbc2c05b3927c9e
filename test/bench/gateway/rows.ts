import type { Rate } from "./wrk.ts";

/** One measurement at 32 connections, with the processor time of a call by program, and one at one connection. */
export type Run = { many: Rate; one: Rate; cpuMicros: Record<string, number> };

/** Medians. `rps32` and `p99Ms` are at 32 connections, `p50Us` is at one. */
export type Row = {
  path: string;
  rps32: number;
  p99Ms: number;
  p50Us: number;
  /** By program of the market, at 32 connections; empty for peers. */
  cpuMicros: Record<string, number>;
};

export function medianRow(path: string, runs: readonly Run[]): Row {
  return {
    path,
    rps32: Math.round(median(runs.map(({ many }) => many.perSecond))),
    p99Ms: Math.round(median(runs.map(({ many }) => many.p99)) / 10) / 100,
    p50Us: Math.round(median(runs.map(({ one }) => one.p50))),
    cpuMicros: medianTimes(runs.map(({ cpuMicros }) => cpuMicros)),
  };
}

const medianTimes = (times: readonly Record<string, number>[]): Record<string, number> =>
  Object.fromEntries(
    Object.keys(times[0] ?? {}).map((name) => [name, median(times.map((one) => one[name] ?? 0))]),
  );

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

type Report = {
  rows: readonly Row[];
  chat: readonly Row[];
  streams: { count: number; p99AddedMs: number } | undefined;
  longLink: { shareOfLink: number } | undefined;
};

export function table({ rows, chat, streams, longLink }: Report): string {
  const lines = [
    "small JSON answer     requests/s   p99 ms  p50 µs at one connection",
    ...rows.map(lineOf),
    "chat of one token",
    ...chat.map(lineOf),
    ...(streams === undefined
      ? []
      : [`${streams.count} event streams: ${streams.p99AddedMs} ms added at p99`]),
    ...(longLink === undefined ? [] : [`long link: ${Math.round(100 * longLink.shareOfLink)}% of its rate`]),
  ];
  return `${lines.join("\n")}\n`;
}

function lineOf({ path, rps32, p99Ms, p50Us, cpuMicros }: Row): string {
  const line = `${path.padEnd(20)}${String(rps32).padStart(12)}${String(p99Ms).padStart(9)}${String(p50Us).padStart(8)}`;
  const times = Object.entries(cpuMicros).map(([name, micros]) => `${name} ${micros}`);
  return times.length === 0 ? line : `${line}  µs of CPU a call: ${times.join(", ")}`;
}
