import type { ChainClient } from "@ngpu/chain-reader/client";
import { holdLeadership } from "@ngpu/db/leader";
import { readHead } from "@ngpu/queries/fleet";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { MatchMetrics } from "../metrics.ts";
import { type CheckedSlots, reportSlotsSetAside } from "../presence/slotsSetAside.ts";
import { followRounds, type RoundOptions } from "./followRounds.ts";
import { reportSetAside } from "./measurementsSetAside.ts";
import { drawRounds, requestRounds } from "./requestRounds.ts";

export type MeasureOptions = RoundOptions & {
  databaseUrl: string;
  client: ChainClient;
  ports: { first: number; last: number };
  metrics: MatchMetrics;
};

/** @deadline The export of a transaction of a measurement round. The transaction is sent again. */
const exportTimeoutMs = 15_000;

/**
 * Measures all nodes, on the instance that leads: requests rounds with secret salts, reads from the chain which measurers
 * they draw, assigns the draws one after the other, and finalizes the rounds. All state is in Postgres and on the chain, so a
 * new leader resumes where the previous one stopped.
 */
export function startMeasure(options: MeasureOptions): { wake(): void } {
  const { context, databaseUrl, pool, metrics } = options;
  let loop: Loop | undefined;
  const lead = async (signal: AbortSignal) => {
    const tried = new Map<string, number>();
    const setAside = new Set<bigint>();
    const checkedSlots: CheckedSlots = { until: 0, setAside: new Set() };
    loop = startLoop({ name: "measure", logger: context.logger, signal, interval: 1_000 }, async () => {
      // The contract's windows use the chain's clock.
      const now = (await readHead(options.pool)).time;
      for (const [key, at] of tried) if (performance.now() - at > exportTimeoutMs) tried.delete(key);
      await requestRounds(options, tried, now);
      await drawRounds(options, now);
      await followRounds(options, tried, now);
      const reporting = { pool, metrics, logger: context.logger };
      await reportSetAside(reporting, setAside, now);
      await reportSlotsSetAside(reporting, checkedSlots);
    });
    await loop.done;
    loop = undefined;
  };
  void holdLeadership({
    url: databaseUrl,
    leadership: "measure",
    logger: context.logger,
    signal: context.signal,
    lead,
  });
  return { wake: () => loop?.wake() };
}
