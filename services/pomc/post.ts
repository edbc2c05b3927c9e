import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { currentRewardContract } from "@ngpu/rewards/rewardContracts";
import type { Logger } from "@ngpu/runtime/logger";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Gauge } from "prom-client";
import { epochToPost, owedByPrevious } from "./epochStore.ts";

type PostDeps = { pool: Database; sender: Sender; deployment: Deployment; logger: Logger };

/**
 * Posts the newest closed epoch of the current Pomc if it grants anything new. Repeated calls send one transaction.
 *
 * @returns The epoch's number; undefined if there is nothing to post.
 */
export async function postEpoch(options: PostDeps): Promise<number | undefined> {
  const rewardContract = currentRewardContract(options.deployment);
  const epoch = await epochToPost(options.pool, rewardContract);
  if (epoch === null) return undefined;
  const { hash } = await options.sender.send({
    kind: "pomc.postEpoch",
    contract: "Pomc",
    at: rewardContract.address,
    functionName: "postEpoch",
    args: [epoch.number, epoch.root, epoch.total, epoch.dataHash],
    dedupeKey: `epoch:${rewardContract.address}:${epoch.number}:${epoch.root}`,
  });
  options.logger.info({
    event: "epoch_posted",
    epoch: epoch.number,
    root: epoch.root,
    total: epoch.total,
    txHash: hash,
  });
  return Number(epoch.number);
}

/** Logs when a replaced Pomc no longer pays everything it granted, and when it pays everything again. */
export async function watchPrevious(
  options: Omit<PostDeps, "sender"> & { gauge: Gauge; lastReported: { owed: bigint } },
): Promise<void> {
  const { pool, deployment, logger, gauge, lastReported } = options;
  const owed = await owedByPrevious(pool, currentRewardContract(deployment));
  gauge.set(Number(owed));
  if (owed === lastReported.owed) return;
  lastReported.owed = owed;
  if (owed === 0n) logger.info({ event: "previous_epochs_paid" });
  else logger.error({ event: "previous_epochs_unpaid", owed });
}
