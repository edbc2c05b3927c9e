import { randomUUID } from "node:crypto";
import { type Connection, type Database, transaction } from "@ngpu/db/pool";
import type { RelayKind } from "@ngpu/protocol/relayKinds";
import { toJson } from "@ngpu/runtime/json";
import type { Hex } from "viem";
import { leaseOf, relayLimits, relayWindow } from "./relayLimits.ts";

export type RelayStatus = "queued" | "sent" | "confirmed" | "refused";

export type RelayOutcome = { id: bigint; status: RelayStatus; tx_hash: Hex | null; reason: string | null };

export type RelayItem = {
  id: bigint;
  kind: RelayKind;
  message: unknown;
  signature: Hex;
  batch: string;
  unbatched: boolean;
};

/**
 * Queues a message. A repeated message is the same row.
 *
 * @returns its row with the outcome so far; undefined when its subject has had as many relayed as the market pays for
 */
export async function putRelay(
  pool: Database,
  entry: {
    kind: RelayKind;
    signer: Hex;
    message: unknown;
    signature: Hex;
    digest: Hex;
    deadline: bigint;
  },
): Promise<RelayOutcome | undefined> {
  const lease = leaseOf(entry.message);
  await pool.query(
    `insert into app.relay (kind, signer, message, signature, digest, deadline)
     select $1, $2, $3, $4, $5, $6 where $7 > (
       select count(*) from app.relay as recent
       where recent.signer = $2 and recent.kind = $1 and recent.created_at > now() - make_interval(secs => $8)
         and ($9::text is null or (recent.message->>'workspaceId' = $9 and recent.message->>'replica' = $10
           and recent.message->>'lease' = $11)))
     on conflict (digest) do nothing`,
    [
      entry.kind,
      entry.signer,
      toJson(entry.message),
      entry.signature,
      entry.digest,
      entry.deadline,
      relayLimits[entry.kind],
      relayWindow,
      ...[lease?.workspaceId, lease?.replica, lease?.lease].map((field) =>
        lease === null ? null : String(field),
      ),
    ],
  );
  const { rows } = await pool.query<RelayOutcome>(
    "select id, status, tx_hash, reason from app.relay where digest = $1",
    [entry.digest],
  );
  return rows[0];
}

/** The outcomes of those messages that are settled. */
export async function settledRelays(pool: Database, ids: bigint[]): Promise<RelayOutcome[]> {
  if (ids.length === 0) return [];
  const { rows } = await pool.query<RelayOutcome>(
    `select id, status, tx_hash, reason from app.relay where id = any($1) and status in ('confirmed', 'refused')`,
    [ids],
  );
  return rows;
}

const claimLock = 7_101;
/** Most messages and bytes in one transaction: well below the gas limit of a block, and below the size that endpoints take. */
const batchLimits = { messages: 50, bytes: 96 << 10 };

/**
 * Claims queued messages in the order of their arrival, as batches of one kind. A signer's next message of a kind waits until
 * the previous one is settled, so messages are never reordered. A lock serializes the claims of all instances.
 */
export function claimBatches(pool: Database, instance: string): Promise<RelayItem[][]> {
  return transaction(pool, async (db) => {
    await db.query("select pg_advisory_xact_lock($1)", [claimLock]);
    await rejectExpired(db);
    const { rows } = await db.query<Omit<RelayItem, "batch">>(
      `select id, kind, message, signature, unbatched from app.relay r
       where status = 'queued' and not exists
         (select from app.relay b where b.signer = r.signer and b.kind = r.kind and b.status = 'sent')
       order by id limit 500`,
    );
    const batches = groupIntoBatches(rows);
    const items = batches.flat();
    await db.query(
      `update app.relay r set status = 'sent', batch = v.batch, claimed_by = $3, claimed_at = now()
       from unnest($1::bigint[], $2::uuid[]) as v (id, batch) where r.id = v.id`,
      [items.map((item) => item.id), items.map((item) => item.batch), instance],
    );
    return batches;
  });
}

/** Groups messages by kind, in their order. Exported for its test. */
export function groupIntoBatches(rows: readonly Omit<RelayItem, "batch">[]): RelayItem[][] {
  const batches: { id: string; bytes: number; items: RelayItem[] }[] = [];
  const open = new Map<string, (typeof batches)[number]>();
  for (const row of rows) {
    const bytes = mostBytesOf(row);
    let batch = row.unbatched ? undefined : open.get(row.kind);
    const isFull =
      batch !== undefined &&
      (batch.items.length >= batchLimits.messages || batch.bytes + bytes > batchLimits.bytes);
    if (batch === undefined || isFull) {
      batch = { id: randomUUID(), bytes: 0, items: [] };
      batches.push(batch);
      if (!row.unbatched) open.set(row.kind, batch);
    }
    batch.bytes += bytes;
    batch.items.push({ ...row, batch: batch.id });
  }
  return batches.map(({ items }) => items);
}

/** More than the bytes of a message in a call: its text writes a byte as two digits, and the ABI pads each field. */
const mostBytesOf = ({ message, signature }: Omit<RelayItem, "batch">) =>
  toJson(message).length + signature.length / 2 + 512;

async function rejectExpired(db: Connection): Promise<void> {
  const { rowCount } = await db.query(
    `update app.relay set status = 'refused', settled_at = now(),
       reason = format('SignatureExpired(deadline %s)', deadline)
     where status = 'queued' and deadline < extract(epoch from now())`,
  );
  if (rowCount !== null && rowCount > 0) await db.query("select pg_notify('app_changed', 'relay')");
}

/**
 * Claims the unfinished batches of instances that died.
 *
 * @param own also the batches of this instance, after a restart; those of others only after three minutes
 */
export async function takeOver(pool: Database, instance: string, own: boolean): Promise<RelayItem[][]> {
  const { rows } = await pool.query<RelayItem>(
    `update app.relay set claimed_by = $1, claimed_at = now()
     where status = 'sent' and (($2 and claimed_by = $1) or claimed_at < now() - interval '3 minutes')
     returning id, kind, message, signature, batch, unbatched`,
    [instance, own],
  );
  rows.sort((a, b) => Number(a.id - b.id));
  return [...Map.groupBy(rows, (row) => row.batch).values()];
}

/** Renews the claim of a batch, so that no other instance takes it over. */
export async function renewClaim(pool: Database, batch: string): Promise<void> {
  await pool.query("update app.relay set claimed_at = now() where batch = $1 and status = 'sent'", [batch]);
}

/** Stores the outcome of a batch and notifies all instances. A null `reason` means confirmed. */
export async function settleBatch(
  pool: Database,
  items: { id: bigint; reason: string | null }[],
  hash: Hex | null,
): Promise<void> {
  await pool.query(
    `update app.relay r set status = case when v.reason is null then 'confirmed' else 'refused' end,
       reason = v.reason, tx_hash = $3, settled_at = now()
     from unnest($1::bigint[], $2::text[]) as v (id, reason) where r.id = v.id`,
    [items.map((item) => item.id), items.map((item) => item.reason), hash],
  );
  await pool.query("select pg_notify('app_changed', 'relay')");
}

/** Queues the messages of a batch that failed as a whole again, each in a transaction of its own. */
export async function requeueUnbatched(pool: Database, ids: bigint[]): Promise<void> {
  await pool.query(
    "update app.relay set status = 'queued', batch = null, claimed_by = null, unbatched = true where id = any($1)",
    [ids],
  );
}
