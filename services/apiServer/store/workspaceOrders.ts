import { type Database, type Queryable, transaction } from "@ngpu/db/pool";

/**
 * Claims the right to send orders for a workspace. A claim ends with its process: a running process holds the advisory lock of its
 * number. A claim of the caller's own process is taken over: it is left over from a failed release.
 *
 * @returns The dedupe key of the last transaction of the previous order, if it sent one; null while another request has the claim.
 */
export async function claimOrder(
  db: Queryable,
  workspaceId: string,
  of: { claim: string; runner: bigint },
): Promise<{ previousKey: string | null } | null> {
  const { rows } = await db.query<{ previousKey: string | null }>(
    `insert into app.workspace_order as ordered (workspace_id, runner, claim)
     values ($1::numeric, $2, $3)
     on conflict (workspace_id) do update set runner = excluded.runner, claim = excluded.claim
     where case
       when ordered.runner is null or ordered.runner = $2 then true
       else pg_try_advisory_xact_lock(ordered.runner)
     end
     returning transaction_key as "previousKey"`,
    [workspaceId, of.runner, of.claim],
  );
  return rows[0] ?? null;
}

export async function releaseOrder(db: Queryable, workspaceId: string, claim: string): Promise<void> {
  await db.query(
    "update app.workspace_order set runner = null where workspace_id = $1::numeric and claim = $2::uuid",
    [workspaceId, claim],
  );
}

/** Records the key of a transaction before it is sent. @returns False if another request has taken over the claim. */
export async function recordOrderKey(
  db: Queryable,
  workspaceId: string,
  { claim, key }: { claim: string; key: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update app.workspace_order set transaction_key = $3
     where workspace_id = $1::numeric and claim = $2::uuid and runner is not null`,
    [workspaceId, claim, key],
  );
  return rowCount === 1;
}

/** Where a transaction is: nowhere (never stored, or reverted), sent, or mined in a block. */
export type Fate = { status: "none" } | { status: "sent" } | { status: "mined"; block: bigint };

/** The fate of a transaction that was sent under this key, possibly by a process that has ended. */
export async function fateOf(db: Database, key: string): Promise<Fate> {
  const stored = await storedFate(db, key);
  if (stored.status !== "none") return stored;
  // A transaction is stored under a lock of its signer. With these locks, a commit of that process is visible or will never be.
  return transaction(db, async (connection) => {
    await connection.query("select from app.signer order by address for share");
    return storedFate(connection, key);
  });
}

async function storedFate(db: Queryable, key: string): Promise<Fate> {
  const { rows } = await db.query<{ status: string; block: bigint | null }>(
    "select status, block_number::int8 as block from app.transaction where dedupe_key = $1",
    [key],
  );
  const [row] = rows;
  if (row === undefined || row.status === "failed") return { status: "none" };
  return row.block === null ? { status: "sent" } : { status: "mined", block: row.block };
}
