import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { addressFor, byContract } from "@ngpu/contracts-sdk/generations";
import type { Database } from "@ngpu/db/pool";
import { NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Sender } from "@ngpu/tx-sender/send";
import { escrowOf } from "../rewardContracts.ts";
import { makeBatch } from "./decide.ts";
import {
  type BatchToCommit,
  batchToCommit,
  dropBatch,
  isBatchDue,
  leasesToSettle,
  paidFor,
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
  /** Seconds for which a task waits until its lease is settled. */
  settlementTimeout: number;
};

/**
 * A round that commits the receipts of tasks, a batch at a time for each escrow, to the Pomc that counts against it. The leases that
 * served them are settled first, so that what the tasks cost has been paid. A batch that the contract refuses, since a refund came between, is made anew.
 */
export function receiptRound(deps: Deps): () => Promise<void> {
  const { pool, deployment } = deps;
  // A settlement shows in the safe head's rows only minutes later, so they do not say whether one is needed again.
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

/** Gives whether there was anything to settle. */
async function settle({ pool, sender, deployment }: Deps): Promise<boolean> {
  const leases = await leasesToSettle(pool);
  const call = { kind: "pomc.settle", contract: "Escrow", functionName: "settle" } as const;
  for (const [at, own] of byContract(deployment, "Escrow", leases, (lease) => lease)) {
    await sender.send({ ...call, at, args: [own] });
  }
  return leases.length > 0;
}

async function commit({ pool, sender, deployment, logger }: Deps, batch: BatchToCommit): Promise<void> {
  const { root, nodeTotals, payerTotals, workspaceId } = batch;
  const at = addressFor(deployment, "Pomc", { workspaceId });
  try {
    const { hash } = await sender.send({
      kind: "pomc.commitReceipts",
      contract: "Pomc",
      at,
      functionName: "commitReceipts",
      args: [root, nodeTotals, payerTotals],
      // Without the address: what one Pomc of an escrow has taken must not go to its successor there.
      dedupeKey: `receipts:${root}`,
    });
    logger.info({ event: "receipts_committed", root, nodes: nodeTotals.length, txHash: hash });
  } catch (error) {
    if (!(error instanceof NgpuError) || error.code !== "chain_refused") throw error;
    logger.warn({ event: "receipts_refused", root, error });
    await dropBatch(pool, root);
  }
}
