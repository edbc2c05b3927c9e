import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { nobody } from "./base.ts";
import type { Entry } from "./tar.ts";

const segment = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

const schema = z.strictObject({
  /** The TypeScript file that Node runs, relative to the workspace's folder. */
  entry: z.string().regex(/^[\w-]+\.(ts|js)$/),
  /** The TCP port that the server listens on. */
  port: z.int().min(1).max(65535),
  env: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
  /** Directories that the process may write to: volumes, owned by the image's user. */
  volumes: z.array(z.string().regex(/^\/[a-z0-9/_-]+$/)).default([]),
  /** Sibling folders that the source imports from. */
  uses: z.array(z.string().regex(segment)).default([]),
  /** Whether the image has the prover of hardware, and OpenCL for it. */
  prover: z.boolean().default(false),
});

/** A folder under images/ with an image.json. One image is built from each. */
export type Workspace = z.infer<typeof schema> & { name: string };

/**
 * All workspaces under `<repoRoot>/images`, sorted by name.
 *
 * @throws FatalError `image_source_invalid` when an image.json is invalid or its entry file does not exist.
 */
export async function findWorkspaces(repoRoot: string): Promise<Workspace[]> {
  const root = join(repoRoot, "images");
  const folders = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const found = await Promise.all(folders.map(({ name }) => readWorkspace(root, name)));
  return found.filter((workspace) => workspace !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readWorkspace(root: string, name: string): Promise<Workspace | undefined> {
  const path = join(root, name, "image.json");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    if (!segment.test(name)) throw new Error(`the folder name ${name} cannot name an image`);
    const workspace = { name, ...schema.parse(JSON.parse(text)) };
    await stat(join(root, name, workspace.entry));
    return workspace;
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new FatalError(`${path}: ${reason}`, {
      code: "image_source_invalid",
      hint: "Correct this image.json; images/README.md describes it.",
      cause,
    });
  }
}

/**
 * Entries of the application layer: the workspace's folder and the folders it uses, below /app, and its volumes.
 *
 * @throws FatalError `image_source_invalid` when a folder contains a symbolic link or a special file.
 */
export async function workspaceEntries(repoRoot: string, workspace: Workspace): Promise<Entry[]> {
  const folders = [workspace.name, ...workspace.uses];
  const files = await Promise.all(
    folders.map((name) => filesUnder(join(repoRoot, "images", name), `/app/${name}`)),
  );
  const volumes = workspace.volumes.map((path): Entry => {
    return { kind: "directory", path, mode: 0o755, owner: nobody };
  });
  // Without a package.json Node would have to detect the module type of every file.
  const kind: Entry = {
    kind: "bytes",
    path: "/app/package.json",
    mode: 0o644,
    bytes: Buffer.from('{"type":"module"}\n'),
  };
  return [kind, ...volumes, ...files.flat()];
}

async function filesUnder(from: string, to: string): Promise<Entry[]> {
  const found: Entry[] = [];
  for (const item of await readdir(from, { withFileTypes: true })) {
    if (item.name.startsWith(".") || item.name === "node_modules") continue;
    const source = join(from, item.name);
    const path = `${to}/${item.name}`;
    if (item.isDirectory()) found.push(...(await filesUnder(source, path)));
    else if (item.isFile()) found.push({ kind: "bytes", path, mode: 0o644, bytes: await readFile(source) });
    else
      throw new FatalError(`${source} is neither a file nor a directory.`, {
        code: "image_source_invalid",
        hint: "Images cannot contain symbolic links. Use the file itself.",
      });
  }
  return found;
}
