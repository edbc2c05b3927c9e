import { accessSync, constants, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { runToEnd } from "./command.ts";

/** Says one line to the user. */
export type Say = (line: string) => void;

export type ProgramOptions = {
  program: string;
  /** What Debian and Ubuntu call it. */
  packages: readonly string[];
  say: Say;
  signal?: AbortSignal;
};

/** Where system programs live, for a PATH that leaves the administrator's folders out, as after `su`. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "# ngpu: no service starts while ngpu installs a package";

/** This process's PATH with the system's folders added behind it. */
export function systemPath(): string {
  const own = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set([...own, ...SYSTEM_FOLDERS])].join(delimiter);
}

/** The full path of a program, undefined when it is not installed. */
export function findProgram(program: string): string | undefined {
  return systemPath()
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

/**
 * Finds a program, and installs it with apt-get where this may be done (root on Debian or Ubuntu).
 *
 * @throws FatalError `program_missing` with the command to type, or `install_failed` with what apt-get said
 */
export async function ensureProgram(options: ProgramOptions): Promise<string> {
  const found = findProgram(options.program);
  if (found !== undefined) return found;
  const command = `apt-get install -y --no-install-recommends ${options.packages.join(" ")}`;
  if (!isDebian() || process.getuid?.() !== 0) {
    throw new FatalError(`${options.program} is not installed.`, {
      code: "program_missing",
      hint: isDebian() ? `Run: sudo ${command}` : `Install ${options.program} and start again.`,
    });
  }
  await installPackages(options, command);
  const installed = findProgram(options.program);
  if (installed === undefined) {
    throw new FatalError(
      `apt-get installed ${options.packages.join(" ")}, but ${options.program} is not there.`,
      {
        code: "install_failed",
        hint: `Run: ${command}`,
      },
    );
  }
  return installed;
}

async function installPackages({ packages, say, signal }: ProgramOptions, command: string): Promise<void> {
  const names = packages.join(" and ");
  say(`Installing ${names} with apt-get`);
  const began = performance.now();
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  const restore = forbidServiceStarts();
  try {
    // A fresh machine has no package lists, and old lists name files that are gone: only then are they fetched.
    if ((await aptGet(install, signal)).code !== 0) {
      await aptGet(["update"], signal);
      const second = await aptGet(install, signal);
      if (second.code !== 0) {
        throw new FatalError(`apt-get could not install ${names}:\n${second.output.trimEnd()}`, {
          code: "install_failed",
          hint: `See to what it says, then start again, or run: ${command}`,
        });
      }
    }
  } finally {
    restore();
  }
  say(`Installed ${names} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
}

function aptGet(
  args: readonly string[],
  signal?: AbortSignal,
): Promise<{ code: number | null; output: string }> {
  return runToEnd("apt-get", ["-o", "DPkg::Lock::Timeout=300", "-q", ...args], {
    env: { ...process.env, PATH: systemPath(), DEBIAN_FRONTEND: "noninteractive" },
    ...(signal ? { signal } : {}),
  });
}

/**
 * Keeps the package's own service from starting and taking its usual port. Debian asks this file before any start;
 * a file that someone else put there stays as it is.
 */
function forbidServiceStarts(): () => void {
  const foreign = existsSync(POLICY_FILE) && !readFileSync(POLICY_FILE, "utf8").includes(POLICY_MARK);
  if (foreign) return () => {};
  writeFileSync(POLICY_FILE, `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`, { mode: 0o755 });
  return () => rmSync(POLICY_FILE, { force: true });
}

function isDebian(): boolean {
  return existsSync("/etc/debian_version") && findProgram("apt-get") !== undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: in both cases it cannot be run.
    return false;
  }
}
