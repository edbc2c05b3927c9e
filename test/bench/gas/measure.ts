import { loadMarket } from "../../contracts/support/market.ts";
import { claimActs } from "./acts/claims.ts";
import { heartbeatActs } from "./acts/heartbeats.ts";
import { moneyActs } from "./acts/money.ts";
import { nodeActs } from "./acts/nodes.ts";
import { stopActs } from "./acts/stops.ts";
import { waveActs } from "./acts/waves.ts";
import { workspaceActs } from "./acts/workspaces.ts";
import { setL1Prices } from "./l1Prices.ts";
import type { Cost } from "./meter.ts";

/** Cost of every act on the OP-stack simulation, from receipts, by act id. Each group begins with a new market. */
export async function measureActs(): Promise<Record<string, Cost>> {
  const costs: Record<string, Cost> = {};
  for (const acts of [nodeActs, workspaceActs, stopActs, moneyActs, heartbeatActs, claimActs, waveActs]) {
    const market = await loadMarket();
    await setL1Prices(market);
    Object.assign(costs, await acts(market));
  }
  return costs;
}
