import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { runToEnd } from "../../scripts/embedded/command.ts";

/**
 * Unpacks an exact version of a package, once, without what it depends on.
 *
 * @returns its folder
 * @throws FatalError `peer_unavailable`
 */
export async function unpackPackage(into: string, name: string, version: string): Promise<string> {
  const folder = join(into, `${name.replace(/^@/, "").replace("/", "-")}-${version}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.part`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const run = async (program: string, args: string[]) => {
    const { code, output } = await runToEnd(program, args, { cwd: unfinished });
    if (code === 0) return;
    throw new FatalError(`${name}@${version} could not be had:\n${output.trim()}`, {
      code: "peer_unavailable",
      hint: "Check that npm reaches its registry.",
    });
  };
  await run("npm", ["pack", "--silent", `${name}@${version}`]);
  await run("sh", ["-c", "tar xzf ./*.tgz --strip-components 1 && rm ./*.tgz"]);
  renameSync(unfinished, folder);
  return folder;
}

/**
 * Installs exact versions into a directory with what they depend on, unless they are installed.
 *
 * @returns the directory
 * @throws FatalError `peer_unavailable`
 */
export async function installPackages(folder: string, dependencies: Record<string, string>): Promise<string> {
  const manifest = JSON.stringify({ private: true, dependencies }, null, 2);
  const done = join(folder, "installed.json");
  if (existsSync(done) && readFileSync(done, "utf8") === manifest) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), manifest);
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { code, output } = await runToEnd("npm", args, { cwd: folder });
  if (code !== 0) {
    throw new FatalError(`npm could not install ${Object.keys(dependencies).join(", ")}:\n${output.trim()}`, {
      code: "peer_unavailable",
      hint: "Check that npm reaches its registry.",
    });
  }
  writeFileSync(done, manifest);
  return folder;
}
