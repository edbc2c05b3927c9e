import { trialCatalogue } from "@ngpu/rewards/catalogue";
import { packTerms, type RewardTerms } from "@ngpu/rewards/terms";
import type pg from "pg";
import { insertRow } from "./chainTables.ts";

const token = 10n ** 18n;

/** Terms that grant CPUs the complete emission: no measurers, no tasks, no bond. Tests change what they are about. */
export const simpleTerms: RewardTerms = {
  measurerBasisPoints: 0,
  taskBasisPoints: 0,
  nodeTaskBasisPoints: 4_500,
  payerTaskBasisPoints: 4_500,
  measurerRate: token,
  bond: 0n,
  bondEpochs: 0,
  bondDays: 1,
  bondUptimePermille: 900,
  catalogue: trialCatalogue,
  classes: [{ weight: 1_000_000n, rate: token, ceiling: 10n ** 12n }],
};

/** The log of terms that Pomc's deployment writes. */
export async function insertTerms(
  chain: pg.Pool,
  {
    fromEpoch = 1,
    generation = 1,
    ...changes
  }: Partial<RewardTerms> & { fromEpoch?: number; generation?: number } = {},
): Promise<void> {
  const terms = packTerms({ ...simpleTerms, ...changes });
  const columns = Object.entries(terms).map(([name, value]) => [
    `terms_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
    value,
  ]);
  await insertRow(chain, "chain.event_terms_set", {
    block_number: 1,
    log_index: fromEpoch,
    generation,
    block_hash: "0x01",
    tx_hash: "0x01",
    block_time: new Date(1_700_000_000_000),
    from_epoch: fromEpoch,
    ...Object.fromEntries(columns),
  });
}
