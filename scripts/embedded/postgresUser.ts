import { chmodSync, chownSync, readFileSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { FatalError } from "@ngpu/runtime/errors";
import { runToEnd } from "./command.ts";
import { findProgram, systemPath } from "./install.ts";
import { errorCode } from "./leftovers.ts";

/** Wraps a command so that it runs as the user of Postgres. */
export type RunAs = {
  /** The owner of the cluster; undefined: this process's own user. */
  owner: { uid: number; gid: number } | undefined;
  wrap: (command: string, args: readonly string[]) => { command: string; args: string[] };
};

/** System user of Postgres when ngpu runs as root, because Postgres refuses to run as root. */
const USER = "ngpu";
// A clone under /root is inside a directory that only root may enter. The first of these capabilities that root has
// here lets Postgres traverse it. One is enough; some containers have only the second.
const PASSAGE = [
  { name: "dac_read_search", bit: 2n },
  { name: "dac_override", bit: 1n },
];

/**
 * Determines how Postgres can run here: as this user, or, for root, as a system user without privileges except, where
 * the directories require it, one to traverse them.
 *
 * @param binaries the executables
 * @param homeDir the existing directory that holds the cluster
 * @throws FatalError `postgres_user_unusable` when root cannot become another user here
 */
export async function postgresUser(binaries: readonly string[], homeDir: string): Promise<RunAs> {
  if (process.getuid?.() !== 0)
    return { owner: undefined, wrap: (command, args) => ({ command, args: [...args] }) };
  const setpriv = findProgram("setpriv");
  if (setpriv === undefined) {
    throw new FatalError("Postgres refuses to run as root, and setpriv is not installed.", {
      code: "postgres_user_unusable",
      hint: "Install util-linux, or start as an ordinary user.",
    });
  }
  const home = statSync(homeDir);
  // A cluster of an ordinary user keeps its owner.
  const owner = home.uid === 0 ? await systemUser() : { uid: home.uid, gid: home.gid };
  chownSync(homeDir, owner.uid, owner.gid);
  for (const binary of binaries) chmodSync(binary, statSync(binary).mode | 0o555);
  const runAs = (capability?: string): RunAs => ({
    owner,
    wrap: (command, args) => ({
      command: setpriv,
      args: [...privileges(owner, capability), command, ...args],
    }),
  });
  for (const capability of [undefined, ...heldPassage()]) {
    if (await canWork(runAs(capability), [...binaries, homeDir])) return runAs(capability);
  }
  throw new FatalError(
    `User ${USER} (${owner.uid}) cannot enter ${homeDir}, and Postgres refuses to run as root.`,
    {
      code: "postgres_user_unusable",
      hint: "Move the checkout to a directory that every user can enter, or start as an ordinary user.",
    },
  );
}

function privileges(owner: { uid: number; gid: number }, capability: string | undefined): string[] {
  const only = capability === undefined ? "-all" : `-all,+${capability}`;
  return [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    "--clear-groups",
    "--no-new-privs",
    `--bounding-set=${only}`,
    `--inh-caps=${only}`,
    // Without this bit access(2) ignores the capability, and Postgres checks its own executable with access(2).
    ...(capability === undefined ? [] : [`--ambient-caps=${only}`, "--securebits=+no_setuid_fixup"]),
  ];
}

function heldPassage(): string[] {
  const status = readFileSync("/proc/self/status", "utf8");
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return PASSAGE.filter(({ bit }) => ((held >> bit) & 1n) === 1n).map(({ name }) => name);
}

/** True when the user can reach all these paths. The system itself checks it, including ACLs and mounts. */
async function canWork(runAs: RunAs, paths: readonly string[]): Promise<boolean> {
  const checks = paths.flatMap((path) => ["-x", path, "-a"]).slice(0, -1);
  const { command, args } = runAs.wrap("test", checks);
  return (await runToEnd(command, args, { env: { PATH: systemPath() }, cwd: "/" })).code === 0;
}

async function systemUser(): Promise<{ uid: number; gid: number }> {
  const existing = lookUp(USER);
  if (existing !== undefined) return existing;
  const flags = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
  const made = await addUser([...flags, "--shell", "/usr/sbin/nologin", USER]);
  // Another first start may hold the lock on the user list, or have added the user already.
  for (let attempts = 0; attempts < 50; attempts++) {
    const user = lookUp(USER);
    if (user !== undefined) return user;
    if (made.code !== 0) await addUser([...flags, "--shell", "/usr/sbin/nologin", USER]);
    await delay(100);
  }
  const nobody = lookUp("nobody");
  if (nobody !== undefined) return nobody;
  throw new FatalError(
    `Postgres refuses to run as root, and user ${USER} could not be added: ${made.output.trim()}`,
    {
      code: "postgres_user_unusable",
      hint: `Add a system user named ${USER}, or start as an ordinary user.`,
    },
  );
}

async function addUser(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  try {
    return await runToEnd("useradd", args, { env: { PATH: systemPath() } });
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { code: 127, output: "useradd is not installed" };
    throw error;
  }
}

function lookUp(user: string): { uid: number; gid: number } | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
