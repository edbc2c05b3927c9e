import { readFile } from "node:fs/promises";
import { blobPath, putBlob } from "@ngpu/image-store/blobs";
import type { Digest } from "@ngpu/image-store/digest";
import { tagManifests } from "@ngpu/image-store/index-file";
import { mediaTypes, readManifest } from "@ngpu/image-store/manifest";
import { type Entry, putLayer } from "../../../packages/image-store/tar.ts";

/** What differs from the image that a composed one is made of. */
export type Composition = {
  /** Replaces instructions such as `User`; undefined removes one. */
  config?: Record<string, unknown>;
  /** Replaces the platform. */
  platform?: { architecture?: string; os?: string };
  /** A layer on top. */
  files?: Entry[];
  /** The bytes of the configuration, made of those it would have. */
  bytes?: (config: Buffer) => Buffer;
};

/** Stores an image as any image builder may write it. @returns the digest of its manifest */
export async function composeImage(
  from: { storeDir: string; repository: string; digest: Digest },
  { config = {}, platform = {}, files = [], bytes = (given) => given }: Composition,
): Promise<Digest> {
  const { storeDir, repository } = from;
  const manifest = await readManifest(storeDir, from.digest);
  const base = JSON.parse(await readFile(blobPath(storeDir, manifest.config.digest), "utf8")) as {
    config: object;
    rootfs: { diff_ids: string[] };
    history: object[];
  };
  const layer = files.length > 0 ? await putLayer({ storeDir, entries: files }) : undefined;
  const changed = {
    ...base,
    ...platform,
    config: { ...base.config, ...config },
    ...(layer !== undefined && {
      rootfs: { ...base.rootfs, diff_ids: [...base.rootfs.diff_ids, layer.diffId] },
      history: [...base.history, { created_by: "composed" }],
    }),
  };
  const put = (content: Buffer) => putBlob({ storeDir, source: [content] });
  const stored = await put(bytes(Buffer.from(JSON.stringify(changed))));
  const layers = [...manifest.layers];
  if (layer !== undefined) {
    layers.push({ mediaType: mediaTypes.layer, digest: layer.digest, size: layer.sizeBytes });
  }
  const described = { ...manifest.config, digest: stored.digest, size: stored.sizeBytes };
  const { digest } = await put(Buffer.from(JSON.stringify({ ...manifest, config: described, layers })));
  await tagManifests(storeDir, [{ repository, tag: digest.slice(7, 39), digest }]);
  return digest;
}
