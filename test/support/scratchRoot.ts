import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export type Ran = { code: number | null; stdout: string; stderr: string };

/** A file system to install into: that of this machine, with separate /etc, /opt, /run, /usr/local/bin and /var/lib. */
export type ScratchRoot = {
  /** The directory outside: `<path>/etc` is /etc inside. */
  path: string;
  /** Runs a shell script inside and waits for its end. PATH begins with `<path>/bin`. */
  run(script: string, env?: Record<string, string>): Promise<Ran>;
  /** Starts a shell script inside, as the leader of a process group. */
  start(script: string): ReturnType<typeof spawn>;
  remove(): void;
};

/** The reason why a scratch root is not possible here; undefined if it is. */
export function noScratchRoot(): string | undefined {
  if (process.getuid?.() !== 0) return "this does not run as root";
  const { status } = spawnSync("unshare", ["--mount", "true"]);
  return status === 0 ? undefined : "unshare --mount does not work here";
}

/** Creates a scratch root. @param dockerSocket Socket of a Docker engine; it is /var/run/docker.sock inside. */
export function scratchRoot(dockerSocket?: string): ScratchRoot {
  const path = mkdtempSync(join(tmpdir(), "ngpu-scratch-"));
  for (const folder of ["opt", "run", "lib", "bin", "etc", "local-bin"]) mkdirSync(join(path, folder));
  // Users, groups and host names, and the files that control switching users.
  const etc = ["passwd", "group", "shadow", "gshadow", "login.defs", "nsswitch.conf", "os-release", "hosts"];
  for (const name of [...etc, "resolv.conf", "pam.d", "security", "default", "ssl", "ld.so.cache"]) {
    const from = join("/etc", name);
    if (existsSync(from)) cpSync(from, join(path, "etc", name), { recursive: true, verbatimSymlinks: true });
  }
  mkdirSync(join(path, "etc/systemd/system"), { recursive: true });
  const mounts = [
    "set -eu",
    ...(existsSync("/var/lib/docker")
      ? [`mkdir -p ${path}/lib/docker`, `mount --rbind /var/lib/docker ${path}/lib/docker`]
      : []),
    ...(dockerSocket === undefined
      ? []
      : [`: >${path}/run/docker.sock`, `mount --bind ${dockerSocket} ${path}/run/docker.sock`]),
    `mount --bind ${path}/etc /etc`,
    `mount --bind ${path}/opt /opt`,
    `mount --bind ${path}/local-bin /usr/local/bin`,
    `mount --rbind ${path}/lib /var/lib`,
    `mount --rbind ${path}/run /run`,
  ].join("\n");
  const start = (script: string, env: Record<string, string> = {}) => {
    const given = { PATH: `${join(path, "bin")}:${process.env.PATH ?? ""}`, ...env };
    const args = ["--mount", "--propagation", "private", "sh", "-c", `${mounts}\n${script}`];
    return spawn("unshare", args, { env: given, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  };
  return {
    path,
    start,
    run: async (script, env) => {
      const child = start(script, env);
      const [stdout, stderr, code] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        new Promise<number | null>((resolve) => child.once("close", resolve)),
      ]);
      return { code, stdout, stderr };
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Installs a program inside that only records its arguments in `<path>/<name>.calls`. */
export function recordProgram({ path }: ScratchRoot, name: string): void {
  const script = `#!/bin/sh\nprintf '%s\\n' "$*" >>${path}/${name}.calls\n`;
  writeFileSync(join(path, "bin", name), script, { mode: 0o755 });
}
