import type { ChainClient } from "@ngpu/chain-reader/client";
import { holdLeadership } from "@ngpu/db/leader";
import { readHead } from "@ngpu/queries/fleet";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { followRounds, type RoundOptions } from "./followRounds.ts";
import { drawRounds, requestRounds } from "./requestRounds.ts";

export type MeasureOptions = RoundOptions & {
  databaseUrl: string;
  client: ChainClient;
  ports: { first: number; last: number };
};

/** How long a transaction's effect may take to be exported before it is sent again, in ms. */
const exportTimeoutMs = 15_000;

/**
 * Leads the measurement of all nodes: requests rounds with secret salts, learns from the chain whom these draw, has the node
 * measured by each in turn, and ends the rounds. What there is to do is read from Postgres each time, so a new leader goes on
 * where the old one was killed.
 */
export function startMeasure(options: MeasureOptions): { wake(): void } {
  const { context, databaseUrl } = options;
  let loop: Loop | undefined;
  const lead = async (signal: AbortSignal) => {
    const tried = new Map<string, number>();
    loop = startLoop({ name: "measure", logger: context.logger, signal, interval: 1_000 }, async () => {
      // The contract's windows go by the chain's clock.
      const now = (await readHead(options.pool)).time;
      for (const [key, at] of tried) if (Date.now() - at > exportTimeoutMs) tried.delete(key);
      await requestRounds(options, tried, now);
      await drawRounds(options, now);
      await followRounds(options, tried, now);
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
