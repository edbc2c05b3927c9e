import { createPool } from "@ngpu/db/pool";
import { createSender } from "@ngpu/tx-sender/send";
import { receiptRound } from "../../../services/pomc/taskReceipts/commit.ts";
import { eventually } from "../support/context.ts";
import { accounts } from "../workspace/chain.ts";
import type { Client } from "./client.ts";
import type { ApiMarket } from "./setup.ts";

/** Runs the loops of pomc's leader until the task has a receipt. */
export async function untilReceiptOf<Receipt>(
  { market, chain }: Pick<ApiMarket, "market" | "chain">,
  partner: Client,
  id: string,
): Promise<Receipt> {
  const pool = createPool({ url: market.urlAs("ngpu_pomc"), name: "pomc" });
  const { logger, signal } = market.context;
  const { client, deployment } = chain;
  try {
    const sender = await createSender({
      pool,
      client,
      deployment,
      logger,
      signal,
      account: accounts.receiptsPoster,
      pollMs: 20,
    });
    const round = receiptRound({
      pool,
      sender,
      deployment,
      logger,
      every: 0,
      settlementTimeout: 3_600,
    });
    return await eventually("the receipt", async () => {
      await chain.pass(2);
      await market.exported();
      // The chain's clock is ahead of ours, so an older safe head could be after the task and before the lease ran.
      await eventually("what is exported is safe", async () => {
        const { rows } = await market.pool.query(
          "select from chain.head as safe join chain.head as newest using (number) where safe.tier = 'safe' and newest.tier = 'unsafe'",
        );
        return rows.length === 1;
      });
      await round();
      await market.exported();
      const { status, body } = await partner.get<Receipt>(`/v1/tasks/${id}/receipt`);
      return status === 200 ? body : undefined;
    });
  } finally {
    await pool.end();
  }
}
