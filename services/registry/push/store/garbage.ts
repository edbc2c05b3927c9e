import type { Queryable } from "@ngpu/db/pool";
import type { Digest } from "@ngpu/image-store/digest";

/** Uploads that no request has continued for this time. */
export async function expiredUploads(db: Queryable, seconds: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    "select id from app.registry_upload where used_at < now() - make_interval(secs => $1)",
    [seconds],
  );
  return rows.map(({ id }) => id);
}

const used = `(
  exists (select from app.registry_tag as tag where tag.account = image.account and tag.repository = image.repository
    and tag.digest = image.digest)
  or exists (select from app.registry_manifest as list where list.account = image.account
    and list.repository = image.repository and image.digest = any (list.manifests))
  or exists (select from chain.workspace as workspace
    where workspace.status = 'open' and workspace.image = '0x' || substr(image.digest, 8)))`;

/** Records since when a manifest is not named, and that it is named again. */
export async function markUnused(db: Queryable): Promise<void> {
  await db.query(
    `update app.registry_manifest as image set unused_since = case when ${used} then null else now() end
     where (unused_since is null) <> ${used}`,
  );
}

export async function deleteUnusedManifests(db: Queryable, seconds: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from app.registry_manifest as image where unused_since < now() - make_interval(secs => $1) and not ${used}`,
    [seconds],
  );
  return rowCount ?? 0;
}

/** Blobs that no manifest of their account names, and no push has asked for. */
export async function deleteUnusedBlobs(db: Queryable, seconds: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from app.registry_blob as blob where used_at < now() - make_interval(secs => $1)
       and not exists (select from app.registry_manifest as image
         where image.account = blob.account and (image.digest = blob.digest or blob.digest = any (image.blobs)))`,
    [seconds],
  );
  return rowCount ?? 0;
}

/** Those of these digests that no account has. */
export async function withoutRow(db: Queryable, digests: readonly Digest[]): Promise<Digest[]> {
  const { rows } = await db.query<{ digest: Digest }>(
    `select given.digest from unnest($1::text[]) as given (digest)
     where not exists (select from app.registry_blob as blob where blob.digest = given.digest)`,
    [digests],
  );
  return rows.map(({ digest }) => digest);
}
