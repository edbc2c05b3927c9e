import type { Queryable } from "@ngpu/db/pool";
import type { EscrowContract } from "@ngpu/rewards/rewardContracts";
import { leaseKey, type Paid, type ServedTask } from "./decide.ts";

/** SQL: the receipt is of a payment from the escrow whose ids follow $2, up to $3. */
const ofEscrow = "receipt.workspace_id > $2 and ($3::numeric is null or receipt.workspace_id <= $3)";

/** Payments from an escrow without a receipt: for the tasks' leases, by their payers, and to their nodes. */
export async function paidFor(
  db: Queryable,
  tasks: readonly ServedTask[],
  escrow: EscrowContract,
): Promise<Paid> {
  return {
    leases: await paidForLeases(db, tasks),
    payers: await paidByPayers(db, tasks, escrow),
    nodes: await paidToNodes(db, tasks, escrow),
  };
}

async function paidForLeases(db: Queryable, tasks: readonly ServedTask[]): Promise<Paid["leases"]> {
  const { rows } = await db.query<{
    workspace_id: bigint;
    replica: number;
    lease: number;
    left: bigint;
  }>(
    `select workspace_id::numeric, replica::float8, lease::float8, settled - refunded - coalesce((
       select sum(amount) from app.receipt
        where receipt.workspace_id = lease.workspace_id and receipt.replica = lease.replica
          and receipt.lease = lease.lease), 0) as left
       from chain.lease where (workspace_id, replica, lease) in (select * from unnest($1::int8[], $2::int4[], $3::int4[]))`,
    [
      tasks.map((task) => task.workspaceId),
      tasks.map((task) => task.replica),
      tasks.map((task) => task.lease),
    ],
  );
  return new Map(
    rows.map(({ workspace_id, replica, lease, left }) => [
      leaseKey({ workspaceId: workspace_id, replica, lease }),
      left,
    ]),
  );
}

async function paidByPayers(
  db: Queryable,
  tasks: readonly ServedTask[],
  { generation, above, upTo }: EscrowContract,
): Promise<Paid["payers"]> {
  const { rows } = await db.query<{ account: string; left: bigint }>(
    `select account, settled - refunded - coalesce((
       select sum(amount) from app.receipt where payer = account and ${ofEscrow}), 0) as left
       from chain.escrow_account where account = any($1) and generation = $4`,
    [tasks.map((task) => task.payer), above, upTo, generation],
  );
  return new Map(rows.map(({ account, left }) => [account, left]));
}

async function paidToNodes(
  db: Queryable,
  tasks: readonly ServedTask[],
  { generation, above, upTo }: EscrowContract,
): Promise<Paid["nodes"]> {
  const { rows } = await db.query<{ node_id: number; left: bigint }>(
    `select node_id::float8, earned - refunded - coalesce((
       select sum(amount) from app.receipt where receipt.node_id = node_earning.node_id and ${ofEscrow}), 0) as left
       from chain.node_earning where node_id = any($1) and generation = $4`,
    [tasks.map((task) => task.nodeId), above, upTo, generation],
  );
  return new Map(rows.map(({ node_id, left }) => [node_id, left]));
}
