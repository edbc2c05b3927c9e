import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { FatalError } from "@ngpu/runtime/errors";

export type Lines = { last: string };

/**
 * Makes a directory the root of a new mount and process namespace, and runs a command there. All mounts end with the
 * last process of the namespace. Uses `pivot_root`, because a container runtime refuses to work in a chroot.
 */
const ENTER = `set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cd "$root"
mkdir -p .previous
pivot_root . .previous
umount -l /.previous
rmdir /.previous
exec /bin/sh -c "$2"`;

/**
 * Runs a shell command in a root directory, on this machine's network.
 *
 * @param onLine Called with each line of its stderr.
 * @returns the last line of its stdout
 * @throws FatalError `start_failed` when it does not exit with 0
 */
export async function enter(root: string, command: string, onLine: (line: string) => void): Promise<Lines> {
  const flags = ["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];
  const child = spawn("unshare", [...flags, "/bin/sh", "-c", ENTER, "sh", root, command], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      // npm has its own certificates; these are the machine's.
      NODE_EXTRA_CA_CERTS: "/etc/ssl/certs/ca-certificates.crt",
    },
  });
  let last = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    last = line;
  });
  createInterface({ input: child.stderr }).on("line", onLine);
  const [code] = (await once(child, "close")) as [number | null];
  if (code === 0) return { last };
  throw new FatalError(`The start ended with ${code}: ${last}`, {
    code: "start_failed",
    hint: "Start the market by hand to see the complete output.",
  });
}
