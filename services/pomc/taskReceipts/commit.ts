import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { addressFor, byContract } from "@ngpu/contracts-sdk/generations";
import type { Database } from "@ngpu/db/pool";
import { escrowOf } from "@ngpu/rewards/rewardContracts";
import { NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Sender } from "@ngpu/tx-sender/send";
import { makeBatch } from "./decide.ts";
import { paidFor } from "./payments.ts";
import {
  type BatchToCommit,
  batchToCommit,
  dropBatch,
  isBatchDue,
  leasesToSettle,
  saveBatch,
  servedTasks,
} from "./store.ts";

type Deps = {
  pool: Database;
  sender: Sender;
  deployment: Deployment;
  logger: Logger;
  /** Seconds between batches. */
  every: number;
  /** Maximum time that a task waits for the settlement of its lease, seconds. */
  settlementTimeout: number;
};

/**
 * Returns a round that commits the receipts of tasks: one batch for each escrow, to the Pomc that is bound to it. The tasks'
 * leases are settled first, so that their cost is paid. If a refund makes a batch exceed what was paid, the contract refuses it;
 * the batch is dropped and its tasks go into the next one.
 */
export function receiptRound(deps: Deps): () => Promise<void> {
  const { pool, deployment } = deps;
  // A settlement appears in the safe head's rows minutes later, so those rows cannot show whether another one is needed.
  let settledAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const waiting = await batchToCommit(pool);
    if (waiting !== null) return commit(deps, waiting);
    if (!(await isBatchDue(pool, deps.every))) return;
    if (performance.now() - settledAt >= deps.every * 1_000 && (await settle(deps))) {
      settledAt = performance.now();
    }
    const tasks = await servedTasks(pool, deps.settlementTimeout);
    for (const own of byContract(deployment, "Escrow", tasks, (task) => task).values()) {
      const [first] = own;
      if (first === undefined) continue;
      const batch = makeBatch(own, await paidFor(pool, own, escrowOf(deployment, first)));
      if (batch === undefined) continue;
      await saveBatch(pool, batch);
      await commit(deps, { ...batch, workspaceId: first.workspaceId });
    }
  };
}

/** Settles the leases. @returns whether there were any. */
async function settle({ pool, sender, deployment }: Deps): Promise<boolean> {
  const leases = await leasesToSettle(pool);
  const call = { kind: "pomc.settle", contract: "Escrow", functionName: "settle" } as const;
  for (const [at, own] of byContract(deployment, "Escrow", leases, (lease) => lease)) {
    await sender.send({ ...call, at, args: [own] });
  }
  return leases.length > 0;
}

async function commit({ pool, sender, deployment, logger }: Deps, batch: BatchToCommit): Promise<void> {
  const { root, leaseTotals, payerTotals, workspaceId } = batch;
  const at = addressFor(deployment, "Pomc", { workspaceId });
  try {
    const { hash } = await sender.send({
      kind: "pomc.commitReceipts",
      contract: "Pomc",
      at,
      functionName: "commitReceipts",
      args: [root, leaseTotals, payerTotals],
      // Without the address: a batch that one Pomc of an escrow has accepted must not be sent to its successor.
      dedupeKey: `receipts:${root}`,
    });
    logger.info({ event: "receipts_committed", root, leases: leaseTotals.length, txHash: hash });
  } catch (error) {
    if (!(error instanceof NgpuError) || error.code !== "transaction_reverted") throw error;
    logger.warn({ event: "receipts_refused", root, error });
    await dropBatch(pool, root);
  }
}
