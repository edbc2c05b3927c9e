import { type Database, type Queryable, transaction } from "@ngpu/db/pool";

export type SecretRow = { name: string; bytes: number; version: number; created_at: Date; updated_at: Date };

const shown = "name, bytes, version, created_at, updated_at";

/** The wallet's secrets by name, without their values. */
export async function listSecrets(db: Queryable, wallet: string): Promise<SecretRow[]> {
  const { rows } = await db.query<SecretRow>(
    `select ${shown} from app.secret where wallet = $1 order by name`,
    [wallet],
  );
  return rows;
}

export type SealedSecret = { name: string; sealed: Buffer; keyId: string; bytes: number };

/**
 * Stores values in place of those of the same names, all or none.
 *
 * @param most Secrets that a wallet may have.
 * @returns Undefined when the wallet would have more; nothing is stored then.
 */
export async function putSecrets(
  db: Database,
  wallet: string,
  secrets: readonly SealedSecret[],
  most: number,
): Promise<SecretRow[] | undefined> {
  return transaction(db, async (held) => {
    // One change of a wallet's secrets at a time, so that they are counted rightly.
    await held.query("select pg_advisory_xact_lock(hashtextextended('secrets ' || $1, 0))", [wallet]);
    const names = secrets.map(({ name }) => name);
    const { rows: counted } = await held.query<{ others: number }>(
      "select count(*)::int4 as others from app.secret where wallet = $1 and name <> all($2)",
      [wallet, names],
    );
    if ((counted[0]?.others ?? 0) + names.length > most) return undefined;
    const { rows } = await held.query<SecretRow>(
      `insert into app.secret (wallet, name, sealed, key_id, bytes)
       select $1, * from unnest($2::text[], $3::bytea[], $4::text[], $5::int4[])
       on conflict (wallet, name) do update set sealed = excluded.sealed, key_id = excluded.key_id,
         bytes = excluded.bytes, version = secret.version + 1, updated_at = now()
       returning ${shown}`,
      [
        wallet,
        names,
        secrets.map(({ sealed }) => sealed),
        secrets.map(({ keyId }) => keyId),
        secrets.map(({ bytes }) => bytes),
      ],
    );
    // Nodes may wait for these.
    await held.query("select pg_notify('app_changed', 'secret_request')");
    return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** @returns False when the wallet has no such secret. */
export async function deleteSecret(db: Queryable, wallet: string, name: string): Promise<boolean> {
  const { rowCount } = await db.query("delete from app.secret where wallet = $1 and name = $2", [
    wallet,
    name,
  ]);
  return rowCount === 1;
}

export type StoredSecret = { wallet: string; name: string; sealed: Buffer; key_id: string; bytes: number };

/** The wallet's secrets of these names, encrypted. */
export async function readSecrets(
  db: Queryable,
  wallet: string,
  names: readonly string[],
): Promise<StoredSecret[]> {
  const { rows } = await db.query<StoredSecret>(
    "select wallet, name, sealed, key_id, bytes from app.secret where wallet = $1 and name = any($2)",
    [wallet, names],
  );
  return rows;
}

/** Secrets that another key than this one encrypts, at most 100. */
export async function readEncryptedByOthers(db: Queryable, keyId: string): Promise<StoredSecret[]> {
  const { rows } = await db.query<StoredSecret>(
    "select wallet, name, sealed, key_id, bytes from app.secret where key_id <> $1 limit 100",
    [keyId],
  );
  return rows;
}

/** Stores the same value encrypted by another key, unless it has changed. */
export async function putEncryptedAgain(
  db: Queryable,
  before: StoredSecret,
  after: { sealed: Buffer; keyId: string },
): Promise<void> {
  await db.query(
    "update app.secret set sealed = $3, key_id = $4 where wallet = $1 and name = $2 and sealed = $5",
    [before.wallet, before.name, after.sealed, after.keyId, before.sealed],
  );
}
