import type { Queryable } from "@ngpu/db/pool";
import type { HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import type { OfflineStatement } from "@ngpu/protocol/heartbeatCosign";
import type { Hex } from "viem";

/** Seconds before its deadline up to which a statement is sent: its transaction must be mined before. */
const usableSeconds = 10;

export type CosignedSlot = HeartbeatBits & { signature: Hex };

const bitColumns = `encoding, node_count as "nodeCount", bits`;

/** Asks the cosigners for a slot, in place of what was asked before. */
export async function proposeSlot(db: Queryable, slot: bigint, bits: HeartbeatBits): Promise<void> {
  await db.query(
    `insert into app.heartbeat_proposal (slot, encoding, node_count, bits) values ($1, $2, $3, $4)
     on conflict (slot) do update
       set encoding = excluded.encoding, node_count = excluded.node_count, bits = excluded.bits`,
    [slot, bits.encoding, bits.nodeCount, bits.bits],
  );
}

/** The slots from `from` that were asked for and have no answer. */
export async function openProposals(
  db: Queryable,
  from: bigint,
): Promise<(HeartbeatBits & { slot: bigint })[]> {
  const { rows } = await db.query<HeartbeatBits & { slot: bigint }>(
    `select slot::numeric as slot, ${bitColumns} from app.heartbeat_proposal
     where slot >= $1 and not exists (select from app.heartbeat_cosigned c where c.slot = heartbeat_proposal.slot)
     order by slot`,
    [from],
  );
  return rows;
}

/** Stores what a cosigner agreed to, and notifies the committers. */
export async function storeCosigned(db: Queryable, slot: bigint, given: CosignedSlot): Promise<void> {
  const { encoding, nodeCount, bits, signature } = given;
  await db.query(
    `insert into app.heartbeat_cosigned (slot, encoding, node_count, bits, signature) values ($1, $2, $3, $4, $5)
     on conflict (slot) do nothing`,
    [slot, encoding, nodeCount, bits, signature],
  );
}

/** What a cosigner agreed to for a slot. */
export async function readCosigned(db: Queryable, slot: bigint): Promise<CosignedSlot | undefined> {
  const { rows } = await db.query<CosignedSlot>(
    `select ${bitColumns}, signature from app.heartbeat_cosigned where slot = $1`,
    [slot],
  );
  return rows[0];
}

/** Of these nodes, those without a statement that counts for `seconds` more. */
export async function withoutStatement(db: Queryable, nodeIds: number[], seconds: number): Promise<number[]> {
  const { rows } = await db.query<{ nodeId: number }>(
    `select id as "nodeId" from unnest($1::int[]) as id where not exists (
       select from app.offline_statement s where s.node_id = id and s.deadline > extract(epoch from now()) + $2)`,
    [nodeIds, seconds],
  );
  return rows.map(({ nodeId }) => nodeId);
}

/** Stores statements in place of the earlier ones. */
export async function storeOffline(db: Queryable, statements: readonly OfflineStatement[]): Promise<void> {
  await db.query(
    `insert into app.offline_statement (node_id, deadline, signature)
     select * from unnest($1::int[], $2::int8[], $3::text[]) as s (node_id, deadline, signature) order by node_id
     on conflict (node_id) do update set deadline = excluded.deadline, signature = excluded.signature`,
    [
      statements.map((one) => one.nodeId),
      statements.map((one) => String(one.deadline)),
      statements.map((one) => one.signature),
    ],
  );
}

/** The statements about nodes that the contract still accepts. */
export async function readOffline(db: Queryable, nodeIds: number[]): Promise<OfflineStatement[]> {
  const { rows } = await db.query<OfflineStatement>(
    `select node_id as "nodeId", deadline::numeric as deadline, signature from app.offline_statement
     where node_id = any($1) and deadline > extract(epoch from now()) + $2 order by node_id`,
    [nodeIds, usableSeconds],
  );
  return rows;
}

/** Deletes what no committer can use any more. */
export async function forgetCosigned(db: Queryable, before: bigint): Promise<void> {
  await db.query("delete from app.heartbeat_cosigned where slot < $1", [before]);
  await db.query("delete from app.offline_statement where deadline < extract(epoch from now())");
}
