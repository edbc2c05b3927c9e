import type { Queryable } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";

// Longer than a transaction is waited for. A claim that a crash left behind ends by itself.
const claimSeconds = 150;

/**
 * Runs `send` while no other request sends orders for the workspace, so that the chain has them in the order of this table.
 *
 * @throws InputError `order_in_progress` (409); what `send` throws.
 */
export async function withOrderClaim<Result>(
  db: Queryable,
  workspaceId: string,
  send: () => Promise<Result>,
): Promise<Result> {
  const { rows } = await db.query<{ claimed_until: string }>(
    `insert into app.workspace_order as ordered (workspace_id, claimed_until)
     values ($1::numeric, clock_timestamp() + make_interval(secs => $2))
     on conflict (workspace_id) do update set claimed_until = excluded.claimed_until
     where ordered.claimed_until <= clock_timestamp() returning claimed_until::text`,
    [workspaceId, claimSeconds],
  );
  const claim = rows[0]?.claimed_until;
  if (claim === undefined) {
    throw new InputError(`Another order for workspace ${workspaceId} is being sent.`, {
      code: "order_in_progress",
      status: 409,
      hint: "Repeat the order in a few seconds.",
    });
  }
  try {
    return await send();
  } finally {
    await db.query(
      `update app.workspace_order set claimed_until = clock_timestamp()
       where workspace_id = $1::numeric and claimed_until = $2::timestamptz`,
      [workspaceId, claim],
    );
  }
}

/** Records the partner's order for every replica of the workspace, before it is sent for the leases. */
export async function recordOrder(db: Queryable, workspaceId: string, stopped: boolean): Promise<void> {
  await db.query(
    `update app.workspace_order set stopped = $2,
       block_number = greatest(block_number, (select number from chain.head where tier = 'unsafe'))
     where workspace_id = $1::numeric`,
    [workspaceId, stopped],
  );
}

/** Records the block of the order's transaction, which is part of the order and not a later one. */
export async function recordOrderBlock(db: Queryable, workspaceId: string, block: bigint): Promise<void> {
  await db.query(
    "update app.workspace_order set block_number = greatest(block_number, $2) where workspace_id = $1::numeric",
    [workspaceId, block],
  );
}
