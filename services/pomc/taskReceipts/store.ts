import { type Database, transaction } from "@ngpu/db/pool";
import type { Hex } from "viem";
import type { Batch, ServedTask } from "./decide.ts";

/** Maximum number of tasks in one batch. */
const maxTasks = 10_000;

export type LeaseRef = { workspaceId: bigint; replica: number; lease: number };

/** A batch to commit. `workspaceId` is any of its workspaces; it identifies the escrow that all of them are paid from. */
export type BatchToCommit = Pick<Batch, "root" | "leaseTotals" | "payerTotals"> & { workspaceId: bigint };

/** The oldest batch that is not on the chain; null if there is none. */
export async function batchToCommit(database: Database): Promise<BatchToCommit | null> {
  const { rows } = await database.query<{
    root: Hex;
    lease_totals: Hex[];
    payer_totals: Hex[];
    workspace_id: bigint;
  }>(
    `select root, lease_totals, payer_totals, (
         select workspace_id::int8 from app.receipt where receipt.root = batch.root limit 1) as workspace_id
       from app.receipt_batch as batch
      where not exists (select from chain.receipt_batch as known where known.root = batch.root)
      order by closed_at limit 1`,
  );
  const found = rows[0];
  if (found === undefined) return null;
  const { root, lease_totals, payer_totals, workspace_id } = found;
  return { root, leaseTotals: lease_totals, payerTotals: payer_totals, workspaceId: workspace_id };
}

/** Whether the last batch is at least `seconds` seconds old, or there is none. */
export async function isBatchDue(database: Database, seconds: number): Promise<boolean> {
  const { rows } = await database.query<{ due: boolean }>(
    `select coalesce(max(closed_at) <= now() - make_interval(secs => $1), true) as due from app.receipt_batch`,
    [seconds],
  );
  return rows[0]?.due ?? true;
}

// Tasks without a receipt that a replica served by the safe head's time, with their leases as of that head.
const served = `
  with safe as (
    select block.number, block.time from chain.head join chain.block using (number) where head.tier = 'safe'
  ),
  served as (
    select task.id, task.status, task.finished_at, task.duration_ms, task.result_hash, lease.workspace_id, lease.replica,
           lease.lease, lease.node_id, lease.rate, lease.running and not lease.closed as running, lease.clock, spending.owner
      from safe
      join app.task on task.finished_at <= safe.time and task.node_id is not null and task.result_hash is not null
      join chain.lease_history as lease on lease.workspace_id = task.workspace_id and lease.replica = task.replica
        and lease.lease = task.lease and lease.node_id = task.node_id
        and lease.valid_from <= safe.number and (lease.valid_to is null or lease.valid_to > safe.number)
      join chain.spending_authorization as spending using (authorization_id)
     where not exists (select from app.receipt where receipt.task_id = task.id)
  )`;

/**
 * Running leases whose tasks have no receipts: they are settled before the receipts are made. One that was ordered to stop is settled
 * by its node's report, or by the workspace service once its rate has ended; a settlement before that changes nothing.
 */
export async function leasesToSettle(database: Database): Promise<LeaseRef[]> {
  const { rows } = await database.query<{ workspace_id: bigint; replica: number; lease: number }>(
    `${served}
     select workspace_id::numeric, replica::float8, lease::float8 from served
      where running and clock = 'running' group by workspace_id, replica, lease limit 500`,
  );
  return rows.map((row) => ({ workspaceId: row.workspace_id, replica: row.replica, lease: row.lease }));
}

/**
 * Tasks without receipts, oldest first.
 *
 * @param settlementTimeout Maximum time that a task waits for the settlement of its lease, seconds.
 */
export async function servedTasks(database: Database, settlementTimeout: number): Promise<ServedTask[]> {
  const { rows } = await database.query<{
    id: string;
    status: string;
    finished_at: number;
    duration_ms: number;
    result_hash: Hex;
    workspace_id: bigint;
    replica: number;
    lease: number;
    node_id: number;
    rate: bigint;
    owner: Hex;
    pending: boolean;
  }>(
    `${served}
     select id, status, floor(extract(epoch from finished_at) * 1000)::float8 as finished_at, duration_ms::float8,
            result_hash, workspace_id::numeric, replica::float8, lease::float8, node_id::float8, rate, owner,
            running and served.finished_at > now() - make_interval(secs => $2) as pending
       from served order by served.finished_at, id limit $1`,
    [maxTasks, settlementTimeout],
  );
  return rows.map((row) => ({
    id: row.id,
    payer: row.owner,
    nodeId: row.node_id,
    workspaceId: row.workspace_id,
    replica: row.replica,
    lease: row.lease,
    finishedAt: BigInt(row.finished_at),
    durationMs: row.duration_ms,
    succeeded: row.status === "succeeded",
    resultHash: row.result_hash,
    rate: row.rate,
    pending: row.pending,
  }));
}

/** Stores a batch with its receipts, before its root is sent. */
export async function saveBatch(database: Database, batch: Batch): Promise<void> {
  await transaction(database, async (connection) => {
    await connection.query(
      "insert into app.receipt_batch (root, total, lease_totals, payer_totals) values ($1, $2, $3, $4)",
      [batch.root, batch.total, batch.leaseTotals, batch.payerTotals],
    );
    const { receipts } = batch;
    // As JSON: proofs differ in length, and an array of arrays in Postgres is rectangular.
    await connection.query(
      `insert into app.receipt (task_id, root, payer, node_id, workspace_id, replica, lease, finished_at, duration_ms,
         succeeded, amount, result_hash, proof)
       select task_id, $2, payer, node_id, workspace_id, replica, lease, finished_at, duration_ms, succeeded, amount,
         result_hash, array(select jsonb_array_elements_text(proof))
       from unnest($1::uuid[], $3::text[], $4::bigint[], $5::numeric[], $6::integer[], $7::bigint[], $8::bigint[],
         $9::bigint[], $10::boolean[], $11::numeric[], $12::text[], $13::jsonb[])
         as receipt (task_id, payer, node_id, workspace_id, replica, lease, finished_at, duration_ms, succeeded, amount,
           result_hash, proof)`,
      [
        receipts.map((receipt) => receipt.taskId),
        batch.root,
        receipts.map((receipt) => receipt.payer),
        receipts.map((receipt) => receipt.nodeId),
        receipts.map((receipt) => receipt.workspaceId),
        receipts.map((receipt) => receipt.replica),
        receipts.map((receipt) => receipt.lease),
        receipts.map((receipt) => receipt.finishedAt),
        receipts.map((receipt) => receipt.durationMs),
        receipts.map((receipt) => receipt.succeeded),
        receipts.map((receipt) => receipt.amount),
        receipts.map((receipt) => receipt.resultHash),
        receipts.map((receipt) => JSON.stringify(receipt.proof)),
      ],
    );
  });
}

/** Deletes a batch that the contract refused. Its tasks go into another batch. */
export async function dropBatch(database: Database, root: Hex): Promise<void> {
  await database.query("delete from app.receipt_batch where root = $1", [root]);
}
