import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repoRoot = fileURLToPath(new URL("../../../", import.meta.url));

/** Creates a checkout with one workspace, `sample`, with these files and a link to this checkout's node_modules. */
export async function makeCheckout(
  root: string,
  files: Record<string, string | Buffer>,
  image: Record<string, unknown> = {},
): Promise<string> {
  const folder = join(root, "images", "sample");
  await rm(root, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await symlink(join(repoRoot, "node_modules"), join(root, "node_modules"));
  await writeFile(join(folder, "image.json"), JSON.stringify({ entry: "server.ts", port: 8080, ...image }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return root;
}
