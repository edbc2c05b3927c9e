import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { runToEnd } from "../../../scripts/embedded/command.ts";
import { ensureProgram, type Print } from "../../../scripts/embedded/install.ts";
import { rootDir } from "../../support/parts.ts";
import { unpackPackage } from "../npmPackage.ts";

const SUITE = "bookworm";
const MIRROR = "http://deb.debian.org/debian";
/** The versions on a typical machine today: the last Node 20 with its npm. */
const NODE = `node-${process.platform}-${process.arch}`;
const NODE_VERSION = "20.20.2";
const NPM_VERSION = "10.9.8";
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

/**
 * A root file system like that of a fresh machine: Debian 12 with only its base, certificates, git, Node and npm. It
 * is removed at the end. The bare root and the packages of Node and npm are kept between runs.
 *
 * @param folder directory of the root file systems
 * @throws FatalError `root_needed`, `debootstrap_failed`, `install_failed` or `peer_unavailable`
 */
export async function prepareMachine(folder: string, print: Print): Promise<Disposable & { root: string }> {
  if (process.getuid?.() !== 0) {
    throw new FatalError("Only root can create the root file system of a fresh machine.", {
      code: "root_needed",
      hint: "Run it as root on Debian.",
    });
  }
  mkdirSync(folder, { recursive: true });
  const bare = await bareRoot(join(folder, "bare"), print);
  const root = join(folder, "machine");
  removeRoot(root);
  await must("cp", ["-a", bare, root]);
  await installNode(root, folder);
  copyNetworkFiles(root);
  return { root, [Symbol.dispose]: () => removeRoot(root) };
}

/** Debian's base without package lists, like its container images. */
async function bareRoot(bare: string, print: Print): Promise<string> {
  if (existsSync(bare)) return bare;
  const debootstrap = await ensureProgram({ program: "debootstrap", packages: ["debootstrap"], print });
  print(`Creating a bare Debian 12 in ${bare}`);
  const draft = `${bare}.part`;
  removeRoot(draft);
  const include = "--include=ca-certificates,git";
  await must(debootstrap, ["--variant=minbase", include, SUITE, draft, MIRROR]);
  for (const path of ["var/lib/apt/lists", "var/cache/apt"]) {
    rmSync(join(draft, path), { recursive: true, force: true });
    mkdirSync(join(draft, path, path.endsWith("lists") ? "partial" : "archives/partial"), {
      recursive: true,
    });
  }
  renameSync(draft, bare);
  return bare;
}

async function installNode(root: string, folder: string): Promise<void> {
  const node = await unpackPackage(folder, NODE, NODE_VERSION);
  const npm = await unpackPackage(folder, "npm", NPM_VERSION);
  const local = join(root, "usr/local");
  copyFileSync(join(node, "bin/node"), join(local, "bin/node"));
  cpSync(npm, join(local, "lib/node_modules/npm"), { recursive: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin/npm"));
}

/** Copies this machine's name resolution and certificates, which downloads need. */
function copyNetworkFiles(root: string): void {
  for (const file of ["etc/resolv.conf", "etc/hosts", CERTIFICATES]) {
    rmSync(join(root, file), { force: true });
    mkdirSync(dirname(join(root, file)), { recursive: true });
    copyFileSync(join("/", file), join(root, file));
  }
}

/** A clean clone of HEAD, at /root/ngpu in the machine. */
export async function cloneInto(root: string): Promise<void> {
  await must("git", ["clone", "--quiet", "--no-hardlinks", rootDir, join(root, "root/ngpu")]);
}

/** Removes the directory on its own file system only, so that content of a remaining mount is not removed. */
function removeRoot(root: string): void {
  execFileSync("rm", ["-rf", "--one-file-system", root]);
}

async function must(command: string, args: string[]): Promise<void> {
  const { code, output } = await runToEnd(command, args);
  if (code === 0) return;
  throw new FatalError(`${command} ended with ${code}:\n${output.trim()}`, {
    code: "debootstrap_failed",
    hint: "Resolve the error of the command, then run the benchmark again.",
  });
}
