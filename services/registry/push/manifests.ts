import { transaction } from "@ngpu/db/pool";
import { putBytes } from "@ngpu/image-store/blobs";
import { type Digest, digestOf, isDigest } from "@ngpu/image-store/digest";
import { z } from "zod";
import { tagPattern } from "../answers.ts";
import type { PushDeps } from "./deps.ts";
import { aboveQuota } from "./quota.ts";
import { PushRefusal } from "./refusal.ts";
import {
  knownManifests,
  putBlobRow,
  putManifestRow,
  putTag,
  type Repository,
  sizesOf,
  storedBytes,
} from "./store/images.ts";
import { lockBlob } from "./uploads.ts";

/** Largest manifest, as in the OCI distribution specification. */
export const mostManifestBytes = 4 * 2 ** 20;

const imageTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];
const indexTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
export const manifestTypes = [...imageTypes, ...indexTypes];

const digest = z.custom<Digest>(isDigest, "is not a sha256 digest");
const descriptor = z.object({ digest, size: z.int().nonnegative() });
const image = z.object({
  schemaVersion: z.literal(2),
  config: descriptor,
  layers: z.array(descriptor).max(1_000),
});
const index = z.object({ schemaVersion: z.literal(2), manifests: z.array(descriptor).max(1_000) });

type Parsed = { blobs: { digest: Digest; size: number }[]; manifests: Digest[] };

/**
 * Stores a manifest whose parts are there, and its tag.
 *
 * @param of.reference A tag, or the digest of the bytes.
 * @throws PushRefusal 400 or 404, with the code of the OCI distribution specification.
 */
export async function putManifest(
  deps: PushDeps,
  of: Repository & { reference: string },
  { bytes, type }: { bytes: Buffer; type: string },
): Promise<Digest> {
  const { reference, ...repository } = of;
  const { account } = repository;
  const found = digestOf(bytes);
  if (isDigest(reference) ? reference !== found : !tagPattern.test(reference)) {
    throw invalid("DIGEST_INVALID", `the manifest has the digest ${found}`);
  }
  const { blobs, manifests } = parse(bytes, type);
  await requireParts(deps, repository, { blobs, manifests });
  await transaction(deps.db, async (connection) => {
    await lockBlob(connection, account);
    await lockBlob(connection, found);
    await putBytes(deps.storeDir, bytes);
    await putBlobRow(connection, { account, digest: found, bytes: bytes.byteLength });
    if ((await storedBytes(connection, account)) > BigInt(deps.quotaBytes)) throw aboveQuota(deps, account);
    const names = blobs.map((part) => part.digest);
    await putManifestRow(connection, {
      ...repository,
      digest: found,
      mediaType: type,
      blobs: names,
      manifests,
    });
    if (!isDigest(reference)) await putTag(connection, { ...repository, tag: reference, digest: found });
  });
  deps.logger.info({ event: "image_pushed", ...of, digest: found });
  return found;
}

function parse(bytes: Buffer, type: string): Parsed {
  const document = jsonOf(bytes);
  if (imageTypes.includes(type)) {
    const { success, data, error } = image.safeParse(document);
    if (success) return { blobs: [data.config, ...data.layers], manifests: [] };
    throw invalid("MANIFEST_INVALID", z.prettifyError(error));
  }
  if (!indexTypes.includes(type))
    throw invalid("MANIFEST_INVALID", `manifests of type ${type} are not stored`);
  const { success, data, error } = index.safeParse(document);
  if (success) return { blobs: [], manifests: data.manifests.map((part) => part.digest) };
  throw invalid("MANIFEST_INVALID", z.prettifyError(error));
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw invalid("MANIFEST_INVALID", "the manifest is not JSON");
  }
}

/** @throws PushRefusal 404 MANIFEST_BLOB_UNKNOWN or 400 SIZE_INVALID */
async function requireParts({ db }: PushDeps, of: Repository, { blobs, manifests }: Parsed): Promise<void> {
  const sizes = await sizesOf(
    db,
    of.account,
    blobs.map((part) => part.digest),
  );
  const known = await knownManifests(db, of, manifests);
  const missing = [
    ...blobs.map((part) => part.digest).filter((one) => !sizes.has(one)),
    ...manifests.filter((one) => !known.has(one)),
  ];
  if (missing.length > 0) {
    throw new PushRefusal(404, {
      code: "MANIFEST_BLOB_UNKNOWN",
      message: `the registry lacks ${missing.slice(0, 10).join(", ")}`,
      hint: "push the layers and the configuration first",
    });
  }
  const wrong = blobs.find((part) => sizes.get(part.digest) !== BigInt(part.size));
  if (wrong !== undefined) throw invalid("SIZE_INVALID", `${wrong.digest} does not have ${wrong.size} bytes`);
}

function invalid(code: "MANIFEST_INVALID" | "DIGEST_INVALID" | "SIZE_INVALID", message: string): PushRefusal {
  return new PushRefusal(400, { code, message, hint: "push an image with docker push" });
}
