import type { Queryable } from "@ngpu/db/pool";
import type { Hex } from "viem";
import type { Tier } from "./escrow.ts";

export type ImageRow = {
  digest: Hex;
  owner: string;
  size_bytes: bigint;
  chunk_root: string;
  reference: string;
  /** The size is that of the verified manifest. */
  verified: boolean;
  tier: Tier;
};

/** Whether any account registered an image. @param generation Generation of the DockerContract. */
export async function isRegistered(db: Queryable, digest: string, generation: number): Promise<boolean> {
  const { rowCount } = await db.query("select from chain.image where digest = $1 and generation = $2", [
    digest,
    generation,
  ]);
  return rowCount !== 0;
}

export type NewImage = { digest: string; sizeBytes: bigint; chunkRoot: string; reference: string };

/** Stores a partner's facts of an image. */
export async function putImage(
  db: Queryable,
  wallet: string,
  image: NewImage & { verified: boolean },
): Promise<void> {
  await db.query(
    `insert into app.image (wallet, digest, size_bytes, chunk_root, reference, verified)
     values ($1, $2, $3, $4, $5, $6) on conflict (wallet, digest) do update set size_bytes = excluded.size_bytes,
       chunk_root = excluded.chunk_root, reference = excluded.reference, verified = excluded.verified`,
    [wallet, image.digest, image.sizeBytes, image.chunkRoot, image.reference, image.verified],
  );
}

/**
 * Images registered with one DockerContract, in the order of their digests, after `after`. The facts of the partner's own images
 * are its own.
 */
export async function listImages(
  db: Queryable,
  of: { wallet: string; generation: number },
  limit: number,
  after: string,
): Promise<ImageRow[]> {
  const { rows } = await db.query<ImageRow>(
    `select image.digest, coalesce(own.wallet, image.owner) as owner,
       coalesce(own.size_bytes, image.size_bytes)::numeric as size_bytes,
       coalesce(own.chunk_root, image.chunk_root) as chunk_root, coalesce(own.reference, image.reference) as reference,
       coalesce(own.verified, false) as verified, chain.tier(image.block_number) as tier
     from chain.image left join app.image as own on own.digest = image.digest and own.wallet = $4
     where image.digest > $1 and image.generation = $2 order by image.digest limit $3`,
    [after, of.generation, limit, of.wallet],
  );
  return rows;
}
