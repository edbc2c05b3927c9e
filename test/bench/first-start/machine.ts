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
/** What a machine of today has that fetched Node where its users do: the last of Node 20, and the npm beside it. */
const NODE = `node-${process.platform}-${process.arch}`;
const NODE_VERSION = "20.20.2";
const NPM_VERSION = "10.9.8";
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

/**
 * A root file system as a fresh machine has it, removed at the end: Debian 12 with nothing but its base, certificates,
 * git, Node and npm. The bare root and the packages of Node and npm are kept from one run to the next.
 *
 * @param folder where the roots are
 * @throws FatalError `root_needed`, `debootstrap_failed`, `install_failed` or `peer_unavailable`
 */
export async function prepareMachine(folder: string, print: Print): Promise<Disposable & { root: string }> {
  if (process.getuid?.() !== 0) {
    throw new FatalError("A fresh machine is a root file system, which only root can make.", {
      code: "root_needed",
      hint: "Run it as root on Debian.",
    });
  }
  mkdirSync(folder, { recursive: true });
  const bare = await bareRoot(join(folder, "bare"), print);
  const root = join(folder, "machine");
  removeRoot(root);
  await must("cp", ["-a", bare, root]);
  await giveNode(root, folder);
  giveNetwork(root);
  return { root, [Symbol.dispose]: () => removeRoot(root) };
}

/** Debian's base without any package lists, as images of it come. */
async function bareRoot(bare: string, print: Print): Promise<string> {
  if (existsSync(bare)) return bare;
  const debootstrap = await ensureProgram({ program: "debootstrap", packages: ["debootstrap"], print });
  print(`Making a bare Debian 12 in ${bare}`);
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

async function giveNode(root: string, folder: string): Promise<void> {
  const node = await unpackPackage(folder, NODE, NODE_VERSION);
  const npm = await unpackPackage(folder, "npm", NPM_VERSION);
  const local = join(root, "usr/local");
  copyFileSync(join(node, "bin/node"), join(local, "bin/node"));
  cpSync(npm, join(local, "lib/node_modules/npm"), { recursive: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin/npm"));
}

/** The names and the certificates that this machine trusts; without them nothing could be downloaded. */
function giveNetwork(root: string): void {
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

/** Mounts belong to the namespace that a start runs in; should one be left here, what it shows stays. */
function removeRoot(root: string): void {
  execFileSync("rm", ["-rf", "--one-file-system", root]);
}

async function must(command: string, args: string[]): Promise<void> {
  const { code, output } = await runToEnd(command, args);
  if (code === 0) return;
  throw new FatalError(`${command} ended with ${code}:\n${output.trim()}`, { code: "debootstrap_failed" });
}
