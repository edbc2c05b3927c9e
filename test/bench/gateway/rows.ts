import type { Rate } from "./wrk.ts";

/** One measurement at 32 connections and one at one connection. */
export type Run = { many: Rate; one: Rate };

/** Medians. `rps32` and `p99Ms` are at 32 connections, `p50Us` is at one. */
export type Row = { path: string; rps32: number; p99Ms: number; p50Us: number };

export function medianRow(path: string, runs: readonly Run[]): Row {
  return {
    path,
    rps32: Math.round(median(runs.map(({ many }) => many.perSecond))),
    p99Ms: Math.round(median(runs.map(({ many }) => many.p99)) / 10) / 100,
    p50Us: Math.round(median(runs.map(({ one }) => one.p50))),
  };
}

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

const lineOf = ({ path, rps32, p99Ms, p50Us }: Row) =>
  `${path.padEnd(20)}${String(rps32).padStart(12)}${String(p99Ms).padStart(9)}${String(p50Us).padStart(8)}`;
