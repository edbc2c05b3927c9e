import { availableParallelism, cpus, loadavg } from "node:os";
import type { Backfill } from "./backfill.ts";
import type { Lag } from "./lag.ts";
import { peerVersions } from "./peers.ts";

/** The largest backfill, the smaller ones, and the lag; null if it was skipped. */
export type Result = Backfill & {
  lagMs: Lag | null;
  smaller: Backfill[];
  machine: { cpu: string; cores: number; load: number; node: string; versions: Record<string, string> };
};

/** The machine of the measurement. @param postgres The server's version. */
export function describeMachine(postgres: string): Result["machine"] {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    // Average of the minute before the benchmark: the load of other programs.
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    node: process.version,
    versions: { postgres, ...peerVersions() },
  };
}

/** The result as text, in Markdown. */
export function asText({ smaller, lagMs, machine, ...largest }: Result): string {
  const { cpu, cores, load, node, versions } = machine;
  const named = Object.entries({ node, ...versions }).map(([name, version]) => `${name} ${version}`);
  const lines = [`${cores} cores of ${cpu}, load ${load} before`, named.join(", "), ""];
  for (const backfill of [...smaller, largest]) lines.push(...tableOf(backfill), "");
  if (lagMs !== null) {
    const { p50, p95, max, eventsPerSecond, blocks, perBlock } = lagMs;
    lines.push(
      `Mined to visible, ngpu with projections: p50 ${p50} ms, p95 ${p95} ms, max ${max} ms`,
      `(${blocks} blocks of ${perBlock} events, ${eventsPerSecond} events a second)`,
      "",
    );
  }
  return lines.join("\n");
}

function tableOf({ events, blocks, runs, rows, limitEventsPerSecond }: Backfill): string[] {
  const sqd = rows.find(({ indexer }) => indexer === "sqd")?.eventsPerSecond;
  const against = (value: number) => (sqd === undefined ? "" : `${(value / sqd).toFixed(2)}×`);
  return [
    `${events} events in ${blocks} blocks, medians of ${runs} interleaved runs, rows equal`,
    "| indexer | stores | events/s | of SQD | of the limit | peak MiB | MiB at start and each quarter |",
    "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ...rows.map(
      ({ indexer, mode, eventsPerSecond, peakMib, rssMib }) =>
        `| ${indexer} | ${mode} | ${eventsPerSecond} | ${against(eventsPerSecond)} | ` +
        `${Math.round((100 * eventsPerSecond) / limitEventsPerSecond)}% | ${peakMib ?? ""} | ${rssMib?.join(", ") ?? ""} |`,
    ),
    `| limit | raw events | ${limitEventsPerSecond} | ${against(limitEventsPerSecond)} | 100% | | |`,
  ];
}
