import type { Database } from "@ngpu/db/pool";
import type { LossStatement, SignedLoss } from "@ngpu/protocol/lossStatement";
import type { Address } from "viem";

/** Age at which a statement is replaced, s. The contract accepts it for 30 s. */
const renewSeconds = 10;
/** Age up to which a keeper sends a statement, s: its transaction must be mined before the statement expires. */
const usableSeconds = 20;

/** A node that a statement is due about. */
export type Silent = { nodeId: number; lastHeard: number };

/** Of these nodes, those that are still absent and have no recent statement of this witness for this contract. */
export async function readSilent(
  pool: Database,
  { at, witness, nodeIds }: { at: Address; witness: Address; nodeIds: number[] },
): Promise<Silent[]> {
  const { rows } = await pool.query<Silent>(
    `select node_id as "nodeId", heard::float8 as "lastHeard"
     from (select node_id, floor(extract(epoch from heard_at))::int8 as heard from app.absence
       where node_id = any($1) and back_at is null) as absent
     where not exists (select from app.loss_statement s where s.node_id = absent.node_id and s.contract = $2
       and s.witness = $3 and s.last_heard = heard and s.stated_at > extract(epoch from now()) - $4)`,
    [nodeIds, at, witness, renewSeconds],
  );
  return rows;
}

/** Stores statements in place of the earlier ones, and notifies the keepers. */
export async function storeStatements(
  pool: Database,
  { at, witness }: { at: Address; witness: Address },
  statements: readonly (LossStatement & SignedLoss)[],
): Promise<void> {
  await pool.query(
    `insert into app.loss_statement (contract, node_id, last_heard, stated_at, witness, head, r, vs)
     select $1, s.node_id, s.last_heard, s.stated_at, $2, s.head, s.r, s.vs
     from unnest($3::int[], $4::int8[], $5::int8[], $6::text[], $7::text[], $8::text[])
       as s (node_id, last_heard, stated_at, head, r, vs) order by s.node_id
     on conflict (contract, node_id) do update set last_heard = excluded.last_heard, stated_at = excluded.stated_at,
       witness = excluded.witness, head = excluded.head, r = excluded.r, vs = excluded.vs`,
    [
      at,
      witness,
      statements.map((one) => one.nodeId),
      statements.map((one) => one.lastHeard),
      statements.map((one) => one.statedAt),
      statements.map((one) => one.head),
      statements.map((one) => one.r),
      statements.map((one) => one.vs),
    ],
  );
  await pool.query("select pg_notify('app_changed', 'loss')");
}

/** Deletes statements that no keeper can use any more. */
export async function forgetStatements(pool: Database): Promise<void> {
  await pool.query("delete from app.loss_statement where stated_at < extract(epoch from now()) - 3600");
}

/** The statements about nodes that a contract still accepts, by node. */
export async function readStatements(
  pool: Database,
  at: Address,
  nodeIds: number[],
): Promise<Map<number, SignedLoss>> {
  const { rows } = await pool.query<SignedLoss & { nodeId: number }>(
    `select node_id as "nodeId", head, r, vs from app.loss_statement
     where contract = $1 and node_id = any($2) and stated_at > extract(epoch from now()) - $3`,
    [at, nodeIds, usableSeconds],
  );
  return new Map(rows.map(({ nodeId, ...signed }) => [nodeId, signed]));
}
