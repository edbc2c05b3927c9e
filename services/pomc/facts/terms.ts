import type { Database } from "@ngpu/db/pool";
import { type RewardTerms, type TermsSet, termsOf, unpackTerms } from "@ngpu/rewards/terms";
import { RetryableError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";

type TermsRow = {
  from_epoch: number;
  measurer_basis_points: number;
  task_basis_points: number;
  node_task_basis_points: number;
  payer_task_basis_points: number;
  measurer_rate: bigint;
  bond: bigint;
  bond_epochs: number;
  bond_days: number;
  bond_uptime_permille: number;
  catalogue: Hex;
  classes: Hex[];
};

const columns = [
  "measurer_basis_points",
  "task_basis_points",
  "node_task_basis_points",
  "payer_task_basis_points",
  "measurer_rate",
  "bond",
  "bond_epochs",
  "bond_days",
  "bond_uptime_permille",
  "catalogue",
  "classes",
].map((name) => `terms_${name} as ${name}`);

/**
 * The terms of an epoch at its Pomc, from the contract's log.
 *
 * @throws RetryableError `terms_not_exported` while the log is not exported.
 */
export async function readTerms(
  database: Database,
  { generation, number }: { generation: number; number: number },
): Promise<RewardTerms> {
  const { rows } = await database.query<TermsRow>(
    `select from_epoch::float8, ${columns.join(", ")} from chain.event_terms_set
      where generation = $1 order by block_number, log_index`,
    [generation],
  );
  const terms = termsOf(rows.map(termsSetOf), number);
  if (terms !== undefined) return terms;
  throw new RetryableError(`No reward terms of epoch ${number} are exported yet.`, {
    code: "terms_not_exported",
    hint: "Wait until autoExport has exported the deployment, or set terms with Pomc.setTerms.",
  });
}

function termsSetOf(row: TermsRow): TermsSet {
  return {
    fromEpoch: row.from_epoch,
    terms: unpackTerms({
      measurerBasisPoints: Number(row.measurer_basis_points),
      taskBasisPoints: Number(row.task_basis_points),
      nodeTaskBasisPoints: Number(row.node_task_basis_points),
      payerTaskBasisPoints: Number(row.payer_task_basis_points),
      measurerRate: BigInt(row.measurer_rate),
      bond: BigInt(row.bond),
      bondEpochs: Number(row.bond_epochs),
      bondDays: Number(row.bond_days),
      bondUptimePermille: Number(row.bond_uptime_permille),
      catalogue: row.catalogue,
      classes: row.classes,
    }),
  };
}
