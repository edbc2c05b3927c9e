import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { WaveProofs } from "@ngpu/queries/judgedWaves";
import { readPresence } from "@ngpu/queries/presence";
import type { Closed, EpochFacts } from "@ngpu/rewards/close";
import { type EpochWindow, slotsOfEpoch, windowOf } from "@ngpu/rewards/epochs";
import type { RewardContract } from "@ngpu/rewards/rewardContracts";
import { RetryableError } from "@ngpu/runtime/errors";
import { type BlockRef, lastBlockBefore } from "../store.ts";
import { servedDays } from "./days.ts";
import { leaseFacts } from "./leases.ts";
import { measurerResults } from "./measurers.ts";
import { nodeHistories } from "./nodes.ts";
import { readTerms } from "./terms.ts";

/**
 * What the exported chain says about an epoch, as of the last block of its settlement.
 *
 * @throws RetryableError `epoch_not_exported`, `terms_not_exported` or `day_not_exported`.
 */
export async function epochFacts(
  database: Database,
  options: {
    deployment: Deployment;
    proofs: WaveProofs;
    pomc: RewardContract;
    window: EpochWindow;
    before: Closed;
  },
): Promise<EpochFacts> {
  const { deployment, pomc, window, before } = options;
  const { slotSeconds } = deployment.parameters;
  const asOf = await requireLastBlock(database, window);
  const slots = slotsOfEpoch(window, slotSeconds);
  const terms = await readTerms(database, { generation: pomc.generation, number: window.number });
  const previous = windowOf(window.number - 1, deployment.parameters);
  // Nothing was counted before the first epoch.
  const counted = window.number === 1 ? null : await lastBlockBefore(database, previous.settledAt);
  const blocks = { after: counted?.block ?? 0n, upTo: asOf.block };
  return {
    asOf,
    terms,
    slotSeconds,
    nodes: await nodeHistories(database, window, asOf, {
      proofs: await options.proofs.upTo(database, asOf.block),
      from: slots.firstSlot * slotSeconds,
      to: slots.endSlot * slotSeconds,
    }),
    presence: await readPresence(database, asOf.block, slots),
    results: await measurerResults(database, blocks),
    leases: await leaseFacts(database, blocks, deployment.parameters),
    days: await servedDays(database, {
      deployment,
      bondUptimePermille: terms.bondUptimePermille,
      settledAt: window.settledAt,
      after: before.throughDay,
    }),
  };
}

/** The last block before the end of an epoch's settlement. @throws RetryableError `epoch_not_exported`. */
async function requireLastBlock(database: Database, { number, settledAt }: EpochWindow): Promise<BlockRef> {
  const block = await lastBlockBefore(database, settledAt);
  if (block !== null) return block;
  throw new RetryableError(`No block before the end of epoch ${number} is exported yet.`, {
    code: "epoch_not_exported",
    hint: "Wait until autoExport has exported the end of the epoch.",
  });
}
