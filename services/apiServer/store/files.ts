import { randomBytes } from "node:crypto";
import { type Connection, type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Content } from "../files/fileStore.ts";

export type FileRow = {
  id: string;
  filename: string;
  purpose: string;
  bytes: number;
  sha256: string;
  created_at: Date;
  expires_at: Date;
  content_id: string;
  key_id: string;
};

/** A name for a content. `seconds`: how long it is kept. */
export type NewFile = { filename: string; purpose: string; seconds: number };

const columns = `file.id, filename, purpose, bytes::float8 as bytes, sha256, file.created_at, expires_at, content_id, key_id`;
const tables = "app.file as file join app.file_content as content on content.id = file.content_id";

/** Contents of a wallet are counted, found and dropped by one transaction at a time. */
const lock = (db: Connection, wallet: string) =>
  db.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`files ${wallet}`]);

/**
 * Reserves bytes for a content that is going to be written.
 *
 * @param reserved.most Bytes that it may have.
 * @returns Bytes that are reserved: fewer when the quota leaves fewer; 0: none, and nothing was reserved.
 */
export function reserveContent(
  db: Database,
  { id, wallet, keyId }: Content,
  reserved: { runner: bigint; most: number; quota: number },
): Promise<number> {
  return transaction(db, async (connection) => {
    await lock(connection, wallet);
    const left = reserved.quota - (await storedBytes(connection, wallet));
    const bytes = Math.min(reserved.most, left);
    if (bytes <= 0) return 0;
    const counted = reserved.quota === Number.MAX_SAFE_INTEGER ? 0 : bytes;
    await connection.query(
      "insert into app.file_content (id, wallet, bytes, key_id, runner) values ($1, $2, $3, $4, $5)",
      [id, wallet, counted, keyId, reserved.runner],
    );
    return bytes;
  });
}

/** What the contents of a wallet have, and those that are written may have, in bytes. */
async function storedBytes(db: Queryable, wallet: string): Promise<number> {
  const { rows } = await db.query<{ bytes: number }>(
    `select coalesce(sum(bytes), 0)::float8 as bytes from app.file_content
     where wallet = $1 and dropped_at is null`,
    [wallet],
  );
  return rows[0]?.bytes ?? 0;
}

/** Names a content that was written. When the wallet has the same bytes already, they are stored once. */
export async function nameContent(
  connection: Connection,
  { id, wallet }: Pick<Content, "id" | "wallet">,
  written: { sha256: string; bytes: number },
  file: NewFile,
): Promise<FileRow> {
  await lock(connection, wallet);
  const { rows: same } = await connection.query<{ id: string }>(
    "select id from app.file_content where wallet = $1 and sha256 = $2 and dropped_at is null and id <> $3",
    [wallet, written.sha256, id],
  );
  const contentId = same[0]?.id ?? id;
  await connection.query(
    contentId === id
      ? "update app.file_content set sha256 = $2, bytes = $3, runner = null where id = $1"
      : "update app.file_content set sha256 = $2, bytes = $3, runner = null, dropped_at = now() where id = $1",
    [id, written.sha256, written.bytes],
  );
  const { rows } = await connection.query<FileRow>(
    `with file as (
       insert into app.file (id, wallet, content_id, filename, purpose, expires_at)
       values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) returning *
     ) select ${columns} from file join app.file_content as content on content.id = file.content_id`,
    [`file-${randomBytes(12).toString("hex")}`, wallet, contentId, file.filename, file.purpose, file.seconds],
  );
  return rows[0] as FileRow;
}

/** A wallet's file by its id, or the newest one with this content: `sha256:<hex>`. */
export async function findFile(db: Queryable, wallet: string, id: string): Promise<FileRow | undefined> {
  const [, sha256] = /^sha256:(.+)$/.exec(id) ?? [];
  const { rows } = await db.query<FileRow>(
    `select ${columns} from ${tables}
     where file.wallet = $1 and expires_at > now() and ${sha256 === undefined ? "file.id = $2" : "sha256 = $2"}
     order by file.created_at desc limit 1`,
    [wallet, sha256 ?? id],
  );
  return rows[0];
}

/** A wallet's files, newest or oldest first. */
export async function listFiles(
  db: Queryable,
  wallet: string,
  page: { limit: number; after: string | undefined; purpose: string | undefined; order: "asc" | "desc" },
): Promise<FileRow[]> {
  const sign = page.order === "asc" ? ">" : "<";
  const { rows } = await db.query<FileRow>(
    `select ${columns} from ${tables}
     where file.wallet = $1 and expires_at > now() and ($2::text is null or purpose = $2)
       and ($3::text is null or (file.created_at, file.id) ${sign}
         (select created_at, id from app.file where id = $3 and wallet = $1))
     order by file.created_at ${page.order}, file.id ${page.order} limit $4`,
    [wallet, page.purpose ?? null, page.after ?? null, page.limit],
  );
  return rows;
}

/** @returns Whether the wallet had the file. */
export async function deleteFile(db: Queryable, wallet: string, id: string): Promise<boolean> {
  const { rowCount } = await db.query("delete from app.file where wallet = $1 and id = $2", [wallet, id]);
  return rowCount === 1;
}
