import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { hashDocument } from "@ngpu/rewards/document";
import { recomputeEpoch } from "../../cli/audit/recompute.ts";
import { account, earned, marketLogs, type Placed, serveMarket } from "./recordedMarket.ts";
import { sourceOf } from "./runVerify.ts";

/** The logs of a market with an honest epoch. */
export async function honestEpoch(): Promise<Placed[]> {
  const { root } = claimTreeOf([{ account, cumulative: earned }]);
  const market = await serveMarket(marketLogs(root, earned));
  try {
    const { document } = await recomputeEpoch(1, sourceOf(market));
    return marketLogs(root, earned, hashDocument(document));
  } finally {
    await market.close();
  }
}
