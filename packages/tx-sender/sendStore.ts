import { type Connection, type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Hex } from "viem";

/** A row of app.transaction. */
export type StoredTransaction = {
  id: bigint;
  signer: string;
  nonce: bigint;
  kind: string;
  to_address: Hex;
  data: Hex;
  gas: bigint;
  max_fee: bigint;
  max_priority_fee: bigint;
  hashes: Hex[];
  raw: Hex;
  signed_at: Date;
  signed_block: bigint;
  status: "sent" | "mined" | "failed";
  hash: Hex | null;
};

/** What is signed for a nonce. */
export type Unsigned = {
  nonce: bigint;
  to: Hex;
  data: Hex;
  gas: bigint;
  maxFee: bigint;
  maxPriorityFee: bigint;
};
export type Signed = { hash: Hex; raw: Hex };

const columns =
  "id, signer, nonce, kind, to_address, data, gas, max_fee, max_priority_fee, hashes, raw, signed_at, signed_block, status, hash";

/** Makes the signer known, or raises its next nonce to what the chain has already seen of it. Returns its genesis. */
export async function ensureSigner(
  pool: Database,
  signer: { address: string; genesisHash: string; chainNonce: bigint },
): Promise<{ genesis_hash: string; next_nonce: bigint }> {
  const { rows } = await pool.query<{ genesis_hash: string; next_nonce: bigint }>(
    `insert into app.signer (address, genesis_hash, next_nonce) values ($1, $2, $3)
     on conflict (address) do update set next_nonce = greatest(app.signer.next_nonce,
       case when app.signer.genesis_hash = excluded.genesis_hash then excluded.next_nonce else 0 end)
     returning genesis_hash, next_nonce`,
    [signer.address, signer.genesisHash, signer.chainNonce],
  );
  return rows[0] as { genesis_hash: string; next_nonce: bigint };
}

/**
 * Takes the signer's next nonce and stores what `sign` makes of it, both or neither: no crash leaves a gap.
 * With a key that is already taken it returns the row that has it.
 */
export function allocate(
  pool: Database,
  entry: {
    signer: string;
    kind: string;
    dedupeKey: string | undefined;
    block: bigint;
    unsigned: Omit<Unsigned, "nonce">;
  },
  sign: (unsigned: Unsigned) => Promise<Signed>,
): Promise<{ row: StoredTransaction; fresh: boolean }> {
  return transaction(pool, async (db) => {
    const { rows } = await db.query<{ next_nonce: bigint }>(
      "select next_nonce from app.signer where address = $1 for update",
      [entry.signer],
    );
    const nonce = rows[0]?.next_nonce ?? 0n;
    const existing = await byKey(db, entry.dedupeKey);
    if (existing !== undefined) return { row: existing, fresh: false };
    const row = await insert(db, entry, { ...entry.unsigned, nonce }, sign);
    if (row === undefined) {
      const winner = await byKey(db, entry.dedupeKey);
      if (winner === undefined) throw new Error(`The row with key ${entry.dedupeKey} is gone.`);
      return { row: winner, fresh: false };
    }
    await db.query("update app.signer set next_nonce = $2 where address = $1", [entry.signer, nonce + 1n]);
    return { row, fresh: true };
  });
}

async function insert(
  db: Connection,
  entry: { signer: string; kind: string; dedupeKey: string | undefined; block: bigint },
  unsigned: Unsigned,
  sign: (unsigned: Unsigned) => Promise<Signed>,
): Promise<StoredTransaction | undefined> {
  const signed = await sign(unsigned);
  const { rows } = await db.query<StoredTransaction>(
    `insert into app.transaction
       (signer, nonce, kind, dedupe_key, to_address, data, gas, max_fee, max_priority_fee, hashes, raw, signed_block)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, array[$10::text], $11, $12)
     on conflict (dedupe_key) do nothing
     returning ${columns}`,
    [
      ...[entry.signer, unsigned.nonce, entry.kind, entry.dedupeKey ?? null, unsigned.to, unsigned.data],
      ...[unsigned.gas, unsigned.maxFee, unsigned.maxPriorityFee, signed.hash, signed.raw, entry.block],
    ],
  );
  return rows[0];
}

export async function byKey(
  db: Queryable,
  dedupeKey: string | undefined,
): Promise<StoredTransaction | undefined> {
  if (dedupeKey === undefined) return undefined;
  const { rows } = await db.query<StoredTransaction>(
    `select ${columns} from app.transaction where dedupe_key = $1`,
    [dedupeKey],
  );
  return rows[0];
}

/** What is on its way, lowest nonce first. */
export async function outstanding(pool: Database, signer: string): Promise<StoredTransaction[]> {
  const { rows } = await pool.query<StoredTransaction>(
    `select ${columns} from app.transaction where signer = $1 and status = 'sent' order by nonce limit 500`,
    [signer],
  );
  return rows;
}

export async function byIds(pool: Database, ids: bigint[]): Promise<StoredTransaction[]> {
  if (ids.length === 0) return [];
  const { rows } = await pool.query<StoredTransaction>(
    `select ${columns} from app.transaction where id = any($1)`,
    [ids],
  );
  return rows;
}

/** True while a reorg may still take back something that was mined. */
export async function hasNotFinal(pool: Database, signer: string): Promise<boolean> {
  const { rows } = await pool.query(
    "select 1 from app.transaction where signer = $1 and status = 'mined' and not final limit 1",
    [signer],
  );
  return rows.length > 0;
}

/** How many transactions from a nonce on can be broadcast again. */
export async function countRepeatable(pool: Database, signer: string, fromNonce: bigint): Promise<bigint> {
  const { rows } = await pool.query<{ count: bigint }>(
    `select count(*) as count from app.transaction
     where signer = $1 and nonce >= $2 and (status = 'sent' or (status = 'mined' and not final))`,
    [signer, fromNonce],
  );
  return rows[0]?.count ?? 0n;
}

/** What a reorg took back is on its way again. */
export async function reopen(
  pool: Database,
  signer: string,
  fromNonce: bigint,
): Promise<StoredTransaction[]> {
  const { rows } = await pool.query<StoredTransaction>(
    `update app.transaction set status = 'sent', hash = null, block_number = null, reverted = null
     where signer = $1 and status = 'mined' and not final and nonce >= $2 returning ${columns}`,
    [signer, fromNonce],
  );
  return rows;
}

export async function markMined(
  pool: Database,
  id: bigint,
  mined: { hash: Hex; blockNumber: bigint; reverted: boolean },
): Promise<void> {
  await pool.query(
    `update app.transaction set status = 'mined', hash = $2, block_number = $3, reverted = $4,
       dedupe_key = case when $4 then null else dedupe_key end
     where id = $1`,
    [id, mined.hash, mined.blockNumber, mined.reverted],
  );
}

export async function markFinal(pool: Database, signer: string, upToBlock: bigint): Promise<void> {
  await pool.query(
    `update app.transaction set final = true
     where signer = $1 and status = 'mined' and not final and block_number <= $2`,
    [signer, upToBlock],
  );
}

/** The nonce went to a transaction that is not ours; the next ones start above what the chain has seen. */
export async function markFailed(
  pool: Database,
  row: { id: bigint; signer: string; chainNonce: bigint },
): Promise<void> {
  await transaction(pool, async (db) => {
    await db.query("update app.signer set next_nonce = greatest(next_nonce, $2) where address = $1", [
      row.signer,
      row.chainNonce,
    ]);
    await db.query("update app.transaction set status = 'failed', dedupe_key = null where id = $1", [row.id]);
  });
}

/** Stores a replacement under the same nonce, unless another process was quicker. */
export async function replace(
  pool: Database,
  row: StoredTransaction,
  next: Signed & { maxFee: bigint; maxPriorityFee: bigint; block: bigint },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update app.transaction set raw = $3, hashes = array_prepend($4, hashes), max_fee = $5, max_priority_fee = $6,
       signed_at = now(), signed_block = $7
     where id = $1 and raw = $2 and status = 'sent'`,
    [row.id, row.raw, next.raw, next.hash, next.maxFee, next.maxPriorityFee, next.block],
  );
  return rowCount === 1;
}
