// Installs programs of the system with apt-get, one run at a time. Plain JavaScript: the bootstrap does it beside npm.
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "../lock.mjs";

export const redisServer = { program: "redis-server", packages: ["redis-server"] };
export const dockerEngine = { program: "dockerd", packages: ["docker.io", "iptables"] };

/** Where system programs live, for a PATH that leaves the administrator's folders out, as after `su`. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "# ngpu: no service starts while ngpu installs a package";
const LOCK = "/run/ngpu-apt.lock";
const DOCKER_SOCKET = "/var/run/docker.sock";

/** This process's PATH with the system's folders added behind it. */
export function systemPath() {
  const own = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set([...own, ...SYSTEM_FOLDERS])].join(delimiter);
}

/** The full path of a program, undefined when it is not installed. */
export function findProgram(program) {
  return systemPath()
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

export function isDebian() {
  return existsSync("/etc/debian_version") && findProgram("apt-get") !== undefined;
}

/** True where programs may be installed: as root on Debian or Ubuntu. */
export function mayInstall() {
  return process.getuid?.() === 0 && isDebian();
}

/** The programs that a market runs beside its own, as far as nobody configured others in their place. */
export function marketPrograms(env) {
  const usesEngine = (env.DOCKER_HOST ?? "") !== "" || existsSync(DOCKER_SOCKET);
  return [...(env.REDIS_URL ? [] : [redisServer]), ...(usesEngine ? [] : [dockerEngine])];
}

/** Those of them that are not installed. */
export function missingPrograms(programs) {
  return programs.filter(({ program }) => findProgram(program) === undefined);
}

/**
 * Installs what is missing of these programs with one run of apt-get, after a run of another process has ended.
 *
 * @param {{ programs: { program: string, packages: string[] }[], say: (line: string) => void, signal?: AbortSignal }}
 *   options
 * @returns {Promise<{ ok: boolean, output: string }>} what apt-get said when it failed
 */
export async function installPrograms({ programs, print, signal }) {
  const release = await waitForLock(print, signal);
  try {
    const packages = missingPrograms(programs).flatMap((missing) => missing.packages);
    if (packages.length === 0) return { ok: true, output: "" };
    const names = listed(packages);
    print(`Installing ${names} with apt-get`);
    const began = performance.now();
    const restore = forbidServiceStarts();
    try {
      const result = await aptInstall(packages, signal);
      if (result.ok) print(`Installed ${names} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
      return result;
    } finally {
      restore();
    }
  } finally {
    release();
  }
}

/** `docker.io, iptables and redis-server`. */
function listed(names) {
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].filter((part) => part !== "").join(" and ");
}

async function waitForLock(print, signal) {
  for (let announced = false; ; announced = true) {
    const lock = tryLock(LOCK);
    if (lock.release !== undefined) return lock.release;
    if (!announced) print(`Waiting for process ${lock.holder}, which installs packages with apt-get`);
    await delay(100, undefined, signal ? { signal } : {});
  }
}

/** A fresh machine has no package lists, and old lists name files that are gone: only then are they fetched. */
async function aptInstall(packages, signal) {
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  const first = await runSystem("apt-get", [...APT, ...install], signal);
  if (first.ok) return first;
  // A run that was ended may have left a package half set up, and apt-get then does nothing else.
  await runSystem("dpkg", ["--configure", "-a"], signal);
  await runSystem("apt-get", [...APT, "update"], signal);
  return runSystem("apt-get", [...APT, ...install], signal);
}

// Descriptions in the user's language are a third of the lists, and nobody reads them here.
const APT = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Languages=none", "-q"];

function runSystem(command, args, signal) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH: systemPath(), DEBIAN_FRONTEND: "noninteractive" };
    const child = spawn(command, args, {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal ? { signal } : {}),
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    let failure;
    child.once("error", (error) => {
      failure = error;
      if (child.pid === undefined) reject(error);
    });
    // After the end, so that nothing of it goes on behind an abort.
    child.once("close", (code) => {
      if (failure === undefined) resolve({ ok: code === 0, output });
      else reject(failure);
    });
  });
}

/**
 * Keeps the package's own service from starting and taking its usual port. Debian asks this file before any start;
 * a file that someone else put there stays as it is.
 */
function forbidServiceStarts() {
  const foreign = existsSync(POLICY_FILE) && !readFileSync(POLICY_FILE, "utf8").includes(POLICY_MARK);
  if (foreign) return () => {};
  writeFileSync(POLICY_FILE, `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`, { mode: 0o755 });
  return () => rmSync(POLICY_FILE, { force: true });
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: in both cases it cannot be run.
    return false;
  }
}
