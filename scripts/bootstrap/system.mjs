// Installs system packages with apt-get, one run at a time. Plain JavaScript: the bootstrap runs it beside npm.
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "../lock.mjs";

export const redisServer = { program: "redis-server", packages: ["redis-server"] };
export const dockerEngine = { program: "dockerd", packages: ["docker.io", "iptables"] };
/** The browser of the console's tests, with the fonts of its languages. */
export const chromium = { program: "chromium", packages: ["chromium", "fonts-noto-cjk"] };
/** OpenCL on CPUs, for the tests of the proof of hardware. */
export const openCl = { program: "clinfo", packages: ["clinfo", "ocl-icd-libopencl1", "pocl-opencl-icd"] };

/** Directories of system programs, for a PATH without the administrator's directories, as after `su`. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "# ngpu: no service starts while ngpu installs a package";
const LOCK = "/run/ngpu-apt.lock";
const DOCKER_SOCKET = "/var/run/docker.sock";

/** This process's PATH, followed by the system's directories. */
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

/** The external programs that a market runs, except those that are configured. */
export function marketPrograms(env) {
  const usesEngine = (env.DOCKER_HOST ?? "") !== "" || existsSync(DOCKER_SOCKET);
  return [...(env.REDIS_URL ? [] : [redisServer]), ...(usesEngine ? [] : [dockerEngine])];
}

/** Those of them that are not installed. */
export function missingPrograms(programs) {
  return programs.filter(({ program }) => findProgram(program) === undefined);
}

/**
 * Installs the missing ones of these programs with one run of apt-get, after a run of another process has ended.
 *
 * @param {{ programs: { program: string, packages: string[] }[], say: (line: string) => void, signal?: AbortSignal }}
 *   options
 * @returns {Promise<{ ok: boolean, output: string }>} the output of apt-get when it failed
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

/** Fetches the package lists only if they are absent, or name files that no longer exist. */
async function aptInstall(packages, signal) {
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  const first = await runSystem("apt-get", [...APT, ...install], signal);
  if (first.ok) return first;
  // An interrupted run may have left a package unconfigured; apt-get then refuses all other work.
  await runSystem("dpkg", ["--configure", "-a"], signal);
  await runSystem("apt-get", [...APT, "update"], signal);
  return runSystem("apt-get", [...APT, ...install], signal);
}

// Translated descriptions are a third of the lists and are not needed.
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
    // Rejects only after the end, so that no process continues after an abort.
    child.once("close", (code) => {
      if (failure === undefined) resolve({ ok: code === 0, output });
      else reject(failure);
    });
  });
}

/**
 * Prevents the package's own service from starting and taking its usual port. Debian runs this file before any start.
 * An existing file is not changed.
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
    // Absent or not permitted: it cannot be run.
    return false;
  }
}
