import { type Base, baseLayer, keptLayer } from "./base.ts";
import { type Blob, putBytes, removeAbandoned } from "./blobs.ts";
import type { Digest } from "./digest.ts";
import { tagManifests } from "./index-file.ts";
import { configOf, manifestOf, type NamedLayer } from "./manifest.ts";
import { nvidiaDriver, openClDir, openClEntries, openClKey } from "./openCl.ts";
import { proverEntries } from "./proverBundle.ts";
import { type Entry, type Layer, putLayer } from "./tar.ts";
import { findWorkspaces, type Workspace, workspaceEntries } from "./workspace.ts";

export type BuiltImage = {
  /** The workspace's name, `chat`. */
  reference: string;
  /** Repository on the registry, `ngpu/chat`: pull `<host>/<repository>@<digest>`. */
  repository: string;
  /** Digest of the manifest, as stored on the chain. */
  digest: Digest;
  /** Bytes that a node downloads: the config and the compressed layers. */
  sizeBytes: number;
  layers: Blob[];
  /** The TCP port that the server inside listens on. */
  port: number;
};

export type BuildProgress =
  | { step: "base"; cached: boolean; sizeBytes: number; ms: number }
  /** Without `sizeBytes`, this machine has no PoCL: the prover of the images proves GPUs alone. */
  | { step: "openCl"; sizeBytes: number | undefined; ms: number }
  | { step: "image"; reference: string; digest: Digest; sizeBytes: number; ms: number };

/**
 * Builds an image from every workspace folder, without a registry, and tags each `latest` in the store.
 * A repeated build of the same files gives the same digests and reuses the base layer.
 *
 * @param options.repoRoot the checkout, with its node_modules
 * @param options.storeDir directory of the image store; created when absent
 * @param options.cpuProver whether images with a prover get this machine's OpenCL for CPUs, a layer of about 110 MB;
 * the default is yes
 * @param options.onProgress called after each step
 * @throws FatalError when a part is missing or corrupt.
 */
export async function buildAll(options: {
  repoRoot: string;
  storeDir: string;
  cpuProver?: boolean;
  onProgress?: (progress: BuildProgress) => void;
  signal?: AbortSignal;
}): Promise<BuiltImage[]> {
  const { repoRoot, storeDir, cpuProver = true, onProgress = () => {}, signal } = options;
  const workspaces = await findWorkspaces(repoRoot);
  // Read before the base layer is packed, which takes long: an invalid workspace fails fast.
  const sources = await Promise.all(
    workspaces.map(async (workspace) => ({
      workspace,
      entries: [
        ...(await workspaceEntries(repoRoot, workspace)),
        ...(workspace.prover ? [nvidiaDriver, ...(await proverEntries(repoRoot))] : []),
      ],
    })),
  );
  await removeAbandoned(storeDir, Date.now());
  let started = performance.now();
  const base = await baseLayer({ repoRoot, storeDir, ...(signal && { signal }) });
  onProgress({ step: "base", cached: !base.built, sizeBytes: base.layer.sizeBytes, ms: since(started) });
  const withProver = cpuProver && workspaces.some(({ prover }) => prover);
  const openCl = withProver
    ? await openClLayer({ storeDir, onProgress, ...(signal && { signal }) })
    : undefined;
  const images: BuiltImage[] = [];
  for (const source of sources) {
    started = performance.now();
    const image = await buildImage({ storeDir, base, openCl, ...source, ...(signal && { signal }) });
    const { reference, digest, sizeBytes } = image;
    onProgress({ step: "image", reference, digest, sizeBytes, ms: since(started) });
    images.push(image);
  }
  const tag = "latest";
  await tagManifests(
    storeDir,
    images.map(({ repository, digest }) => ({ repository, tag, digest })),
  );
  return images;
}

async function buildImage(options: {
  storeDir: string;
  base: Base;
  openCl: Layer | undefined;
  workspace: Workspace;
  entries: readonly Entry[];
  signal?: AbortSignal;
}): Promise<BuiltImage> {
  const { storeDir, base, workspace, entries, signal } = options;
  const openCl = workspace.prover ? options.openCl : undefined;
  const app = await putLayer({ storeDir, entries, ...(signal && { signal }) });
  const named: NamedLayer[] = [
    { layer: base.layer, createdBy: "ngpu base: node and its libraries" },
    ...(openCl ? [{ layer: openCl, createdBy: "ngpu OpenCL: its loader and PoCL" }] : []),
    { layer: app, createdBy: `ngpu workspace ${workspace.name}` },
  ];
  const libraryDirs = workspace.prover ? unique([...base.libraryDirs, openClDir]) : base.libraryDirs;
  const config = await putBytes(storeDir, configOf(workspace, { libraryDirs, layers: named }));
  const manifest = await putBytes(
    storeDir,
    manifestOf(
      config,
      named.map(({ layer }) => layer),
    ),
  );
  const layers = named.map(({ layer: { digest, sizeBytes } }) => ({ digest, sizeBytes }));
  return {
    reference: workspace.name,
    repository: `ngpu/${workspace.name}`,
    digest: manifest.digest,
    sizeBytes: config.sizeBytes + layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    layers,
    port: workspace.port,
  };
}

async function openClLayer(options: {
  storeDir: string;
  onProgress: (progress: BuildProgress) => void;
  signal?: AbortSignal;
}): Promise<Layer | undefined> {
  const { storeDir, onProgress, signal } = options;
  const started = performance.now();
  const entries = await openClEntries();
  const key = entries && (await openClKey(entries));
  const kept = key && (await keptLayer({ storeDir, entries, key, ...(signal && { signal }) }));
  const layer = kept ? kept.layer : undefined;
  onProgress({ step: "openCl", sizeBytes: layer?.sizeBytes, ms: since(started) });
  return layer;
}

const unique = (paths: readonly string[]) => [...new Set(paths)];

function since(started: number): number {
  return Math.round(performance.now() - started);
}
