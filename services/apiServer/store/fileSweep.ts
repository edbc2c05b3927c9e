import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import { releaseAbandoned } from "@ngpu/db/runnerLock";

/** Deletes the files whose time is over. @returns Their number. */
export async function expireFiles(db: Queryable): Promise<number> {
  const { rowCount } = await db.query("delete from app.file where expires_at <= now()");
  return rowCount ?? 0;
}

/** Drops what processes that have ended did not write to its end. */
export function dropAbandoned(db: Database, self: bigint): Promise<number> {
  return releaseAbandoned(db, self, {
    open: "select runner from app.file_content where runner is not null",
    release: "update app.file_content set runner = null, dropped_at = now() where runner = $1",
  });
}

/** Gives up a content that no file names yet. */
export async function dropContent(db: Queryable, id: string): Promise<void> {
  await db.query(
    "update app.file_content set runner = null, dropped_at = now() where id = $1 and runner is not null",
    [id],
  );
}

/** Drops the written contents to which neither a file nor a batch refers. */
export async function dropUnused(db: Database): Promise<void> {
  const unused = `runner is null and dropped_at is null
    and not exists (select from app.file where content_id = content.id)
    and not exists (select from app.batch where input_content_id = content.id)`;
  const { rows } = await db.query<{ wallet: string }>(
    `select distinct wallet from app.file_content as content where ${unused}`,
  );
  for (const { wallet } of rows) {
    await transaction(db, async (connection) => {
      // The same lock as that under which a content is found again and named.
      await connection.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`files ${wallet}`]);
      await connection.query(
        `update app.file_content as content set dropped_at = now() where wallet = $1 and ${unused}`,
        [wallet],
      );
    });
  }
}

/** Contents that are to be removed from the disk. */
export async function droppedContents(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    "select id from app.file_content where dropped_at is not null order by dropped_at limit 1000",
  );
  return rows.map(({ id }) => id);
}

/** The content is no longer on the disk. */
export async function forgetContent(db: Queryable, id: string): Promise<void> {
  await db.query("delete from app.file_content where id = $1 and dropped_at is not null", [id]);
}
