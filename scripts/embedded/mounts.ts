import { existsSync, readFileSync, realpathSync } from "node:fs";
import { runToEnd } from "./command.ts";
import { systemPath } from "./install.ts";

/**
 * Unmounts everything at and below a directory, the deepest first. A killed Docker engine leaves its data directory mounted onto itself,
 * and the network namespaces and file systems of its containers; such a directory cannot be removed.
 */
export async function unmountBelow(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const env = { PATH: systemPath() };
  for (const path of mountsBelow(realpathSync(directory)).reverse()) {
    const { code } = await runToEnd("umount", ["--quiet", path], { env });
    // In use by a process that is about to end. Detached now, it is unmounted when the process ends.
    if (code !== 0) await runToEnd("umount", ["--quiet", "--lazy", path], { env });
  }
}

/** @returns mount points, in the order in which they were mounted */
function mountsBelow(directory: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => unescaped(line.split(" ")[4] ?? ""))
    .filter((path) => path === directory || path.startsWith(`${directory}/`));
}

/** The kernel writes spaces, tabs, line feeds and backslashes of a path in octal, see proc(5). */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
