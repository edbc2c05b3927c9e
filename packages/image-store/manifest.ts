import { FatalError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { nobody } from "./base.ts";
import { readBlob } from "./blobs.ts";
import { type Digest, isDigest } from "./digest.ts";
import type { Layer } from "./tar.ts";
import type { Workspace } from "./workspace.ts";

export const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/** OCI names of the architectures that the npm package `node` supports. */
const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: "amd64", arm64: "arm64" };

/** A layer of an image, with what its history says of it. */
export type NamedLayer = { layer: Layer; createdBy: string };

/** The image config: how a container of this workspace starts. It has no timestamps, so equal content has one digest. */
export function configOf(
  workspace: Workspace,
  { libraryDirs, layers }: { libraryDirs: readonly string[]; layers: readonly NamedLayer[] },
): Buffer {
  const env = {
    PATH: "/usr/local/bin",
    LD_LIBRARY_PATH: libraryDirs.join(":"),
    HOME: "/tmp",
    NODE_ENV: "production",
    PORT: String(workspace.port),
    ...workspace.env,
  };
  return json({
    architecture: architectures[process.arch] ?? process.arch,
    os: "linux",
    config: {
      User: `${nobody}:${nobody}`,
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      Cmd: ["/usr/local/bin/node", `${workspace.name}/${workspace.entry}`],
      WorkingDir: "/app",
      ExposedPorts: { [`${workspace.port}/tcp`]: {} },
      ...(workspace.volumes.length > 0 && {
        Volumes: Object.fromEntries(workspace.volumes.map((v) => [v, {}])),
      }),
      StopSignal: "SIGTERM",
      Labels: { "org.opencontainers.image.title": `ngpu ${workspace.name}` },
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ layer }) => layer.diffId) },
    history: layers.map(({ createdBy }) => ({ created_by: createdBy })),
  });
}

/** The OCI image manifest. Docker Engine 20.10 and later pull it by digest. */
export function manifestOf(config: { digest: Digest; sizeBytes: number }, layers: readonly Layer[]): Buffer {
  return json({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.sizeBytes },
    layers: layers.map(({ digest, sizeBytes }) => ({ mediaType: mediaTypes.layer, digest, size: sizeBytes })),
  });
}

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.custom<Digest>(isDigest, "not a sha256 digest"),
  size: z.int().nonnegative(),
});
const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(mediaTypes.manifest),
  config: descriptor,
  layers: z.array(descriptor).min(1),
});

export type Manifest = z.infer<typeof manifestSchema>;

/**
 * Reads a manifest from the store.
 *
 * @throws FatalError `blob_not_found`, `digest_mismatch`, or `image_store_invalid` when the blob is not a manifest.
 */
export async function readManifest(storeDir: string, digest: Digest): Promise<Manifest> {
  const bytes = await readBlob(storeDir, digest);
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new FatalError(`The blob ${digest} is not an image manifest.`, {
      code: "image_store_invalid",
      hint: "Delete the image store and build again.",
      cause,
    });
  }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
