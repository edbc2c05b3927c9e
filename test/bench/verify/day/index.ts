import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { writeReceipts, writeRoots } from "./closing.ts";
import { writeLeases } from "./leases.ts";
import { createMarket, type Market, type Scale, sortedLogs } from "./market.ts";
import { writeNodes, writeRounds } from "./nodes.ts";
import { writePresence } from "./presence.ts";
import { writeWaves } from "./waves.ts";

/**
 * Writes a day of a market as the logs of its contracts: what nodes, measurers, keepers and partners do is drawn from the seed, and
 * what follows from it (placements, batches, roots, refunds) is computed by the code that computes it in a market.
 */
export async function writeDay(scale: Scale): Promise<{ market: Market; logs: ChainLog[] }> {
  const market = createMarket(scale);
  const nodes = writeNodes(market);
  writeRounds(market, nodes);
  writeWaves(market, nodes, writePresence(market));
  writeReceipts(market, writeLeases(market));
  await writeRoots(market);
  return { market, logs: sortedLogs(market.logs) };
}
