import type { Queryable } from "@ngpu/db/pool";
import type { Digest } from "@ngpu/image-store/digest";

/** A repository: the account in its name, and the rest of it. */
export type Repository = { account: string; repository: string };

/** Bytes that an account stores, uploads in progress included. */
export async function storedBytes(db: Queryable, account: string): Promise<bigint> {
  const { rows } = await db.query<{ bytes: bigint }>(
    `select ((select coalesce(sum(bytes), 0) from app.registry_blob where account = $1)
       + (select coalesce(sum(bytes), 0) from app.registry_upload where account = $1))::bigint as bytes`,
    [account],
  );
  return rows[0]?.bytes ?? 0n;
}

export async function hasBlob(db: Queryable, account: string, digest: string): Promise<boolean> {
  const { rowCount } = await db.query("select from app.registry_blob where account = $1 and digest = $2", [
    account,
    digest,
  ]);
  return rowCount === 1;
}

/** Records that a push relies on a blob of its account. @returns Whether the account has it. */
export async function touchBlob(db: Queryable, account: string, digest: string): Promise<boolean> {
  const { rowCount } = await db.query(
    "update app.registry_blob set used_at = now() where account = $1 and digest = $2",
    [account, digest],
  );
  return rowCount === 1;
}

export async function putBlobRow(
  db: Queryable,
  { account, digest, bytes }: { account: string; digest: Digest; bytes: number },
): Promise<void> {
  await db.query(
    `insert into app.registry_blob (account, digest, bytes) values ($1, $2, $3)
     on conflict (account, digest) do update set used_at = now()`,
    [account, digest, bytes],
  );
}

/** Sizes of those of these blobs that the account has. */
export async function sizesOf(
  db: Queryable,
  account: string,
  digests: readonly string[],
): Promise<Map<string, bigint>> {
  const { rows } = await db.query<{ digest: string; bytes: bigint }>(
    `update app.registry_blob set used_at = now() where account = $1 and digest = any ($2)
     returning digest, bytes`,
    [account, digests],
  );
  return new Map(rows.map(({ digest, bytes }) => [digest, bytes]));
}

export type NewManifest = Repository & {
  digest: Digest;
  mediaType: string;
  blobs: readonly string[];
  manifests: readonly string[];
};

export async function putManifestRow(db: Queryable, manifest: NewManifest): Promise<void> {
  const { account, repository, digest, mediaType, blobs, manifests } = manifest;
  await db.query(
    `insert into app.registry_manifest (account, repository, digest, media_type, blobs, manifests)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (account, repository, digest) do update set pushed_at = now(), unused_since = null`,
    [account, repository, digest, mediaType, blobs, manifests],
  );
}

export async function putTag(
  db: Queryable,
  { account, repository, tag, digest }: Repository & { tag: string; digest: string },
): Promise<void> {
  await db.query(
    `insert into app.registry_tag (account, repository, tag, digest) values ($1, $2, $3, $4)
     on conflict (account, repository, tag) do update set digest = excluded.digest, updated_at = now()`,
    [account, repository, tag, digest],
  );
}

/** The manifests of these digests that the repository has. */
export async function knownManifests(
  db: Queryable,
  { account, repository }: Repository,
  digests: readonly string[],
): Promise<Set<string>> {
  const { rows } = await db.query<{ digest: string }>(
    "select digest from app.registry_manifest where account = $1 and repository = $2 and digest = any ($3)",
    [account, repository, digests],
  );
  return new Set(rows.map(({ digest }) => digest));
}

/** A manifest by its digest or a tag. */
export async function findManifest(
  db: Queryable,
  { account, repository }: Repository,
  reference: string,
): Promise<{ digest: Digest; mediaType: string } | undefined> {
  const { rows } = await db.query<{ digest: Digest; mediaType: string }>(
    `select digest, media_type as "mediaType" from app.registry_manifest
     where account = $1 and repository = $2 and digest = coalesce(
       (select tag.digest from app.registry_tag as tag where tag.account = $1 and tag.repository = $2 and tag.tag = $3), $3)`,
    [account, repository, reference],
  );
  return rows[0];
}

export async function listTags(db: Queryable, { account, repository }: Repository): Promise<string[]> {
  const { rows } = await db.query<{ tag: string }>(
    'select tag from app.registry_tag where account = $1 and repository = $2 order by tag collate "C"',
    [account, repository],
  );
  return rows.map(({ tag }) => tag);
}

/** Removes a manifest with its tags, or only a tag. @returns Whether there was one. */
export async function deleteReference(
  db: Queryable,
  { account, repository }: Repository,
  reference: string,
): Promise<boolean> {
  const isDigest = reference.startsWith("sha256:");
  const { rowCount } = await db.query(
    isDigest
      ? "delete from app.registry_manifest where account = $1 and repository = $2 and digest = $3"
      : "delete from app.registry_tag where account = $1 and repository = $2 and tag = $3",
    [account, repository, reference],
  );
  return (rowCount ?? 0) > 0;
}
