import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { WaveProofs } from "@ngpu/queries/judgedWaves";
import { type Closed, closeEpoch } from "@ngpu/rewards/close";
import { hashDocument } from "@ngpu/rewards/document";
import { decideEpoch, windowOf } from "@ngpu/rewards/epochs";
import { rewardContractOf, rewardContractsOf } from "@ngpu/rewards/rewardContracts";
import type { Logger } from "@ngpu/runtime/logger";
import { dropSuperseded, lastClosed, saveEpoch } from "./epochStore.ts";
import { epochFacts } from "./facts/index.ts";
import { safeTime } from "./store.ts";

type CloseDeps = {
  database: Database;
  deployment: Deployment;
  /** What waves proved; kept between calls, so that each wave is judged once. */
  proofs: WaveProofs;
};

/**
 * Closes every epoch whose settlement has ended by the safe head's time, each from chain data as of its own last block.
 *
 * @returns Number of epochs closed.
 * @throws RetryableError `epoch_not_exported` while the epoch's last block is not exported.
 */
export async function closeEpochs(
  options: CloseDeps & { logger: Logger; signal: AbortSignal },
): Promise<number> {
  const { database, deployment, proofs, logger, signal } = options;
  const time = await safeTime(database);
  if (time === null) return 0;
  const dropped = await dropSuperseded(database, rewardContractsOf(deployment));
  if (dropped > 0) logger.warn({ event: "epochs_superseded", epochs: dropped });
  const before = await lastClosed(database);
  const decision = decideEpoch(time, before.number, deployment.parameters);
  if (decision.type === "wait") return 0;
  let closed = before;
  for (let number = decision.from; number <= decision.to; number++) {
    signal.throwIfAborted();
    closed = await closeOne({ database, deployment, proofs, number, before: closed });
    logger.info({ event: "epoch_closed", epoch: number, accounts: closed.granted.size });
  }
  return decision.to - decision.from + 1;
}

async function closeOne(options: CloseDeps & { number: number; before: Closed }): Promise<Closed> {
  const { database, deployment, proofs, number, before } = options;
  const pomc = rewardContractOf(deployment, number);
  const window = windowOf(number, deployment.parameters);
  const facts = await epochFacts(database, { deployment, proofs, pomc, window, before });
  const { closed, document, root, leaves } = closeEpoch({ window, schedule: pomc, facts, before });
  await saveEpoch(database, {
    generation: pomc.generation,
    document,
    dataHash: hashDocument(document),
    root,
    total: leaves.reduce((sum, leaf) => sum + leaf.cumulative, 0n),
    leaves,
  });
  return closed;
}
