import type { Queryable } from "@ngpu/db/pool";
import { mostUploads } from "../deps.ts";
import type { Repository } from "./images.ts";

/** Records an upload. @returns False when the account has as many as it may. */
export async function insertUpload(
  db: Queryable,
  { id, account, repository }: Repository & { id: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into app.registry_upload (id, account, repository) select $1, $2, $3
     where (select count(*) from app.registry_upload where account = $2) < $4`,
    [id, account, repository, mostUploads],
  );
  return rowCount === 1;
}

export async function hasUpload(
  db: Queryable,
  { id, account, repository }: Repository & { id: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    "select from app.registry_upload where id = $1 and account = $2 and repository = $3",
    [id, account, repository],
  );
  return rowCount === 1;
}

export async function setUploadBytes(db: Queryable, id: string, bytes: number): Promise<void> {
  await db.query("update app.registry_upload set bytes = $2, used_at = now() where id = $1", [id, bytes]);
}

export async function deleteUpload(db: Queryable, id: string): Promise<void> {
  await db.query("delete from app.registry_upload where id = $1", [id]);
}
