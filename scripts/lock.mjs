// Plain JavaScript: the bootstrap uses it before packages are installed, on any supported Node.
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { readText } from "./bootstrap/readText.mjs";

/**
 * A stamp that identifies one process of a pid. A recycled pid, or the same pid after a reboot, has another stamp.
 *
 * @param {number} pid
 * @returns {string | undefined} undefined when no such process runs (a zombie has ended)
 */
export function processStamp(pid) {
  if (process.platform !== "linux") return stampFromPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name is in brackets and may contain spaces; the fields after it do not.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}:${fields[19]}`;
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ESRCH") return undefined;
    throw error;
  }
}

/** @param {number} pid */
function stampFromPs(pid) {
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || undefined;
  } catch {
    // ps exits 1 for a pid that does not exist.
    return undefined;
  }
}

/**
 * Takes a lock. The file names its holder; the file of a dead holder is taken over.
 *
 * @param {string} path
 * @returns {{ release: () => void, holder?: undefined } | { holder: number, release?: undefined }} the pid of the
 *   holder when the lock is taken
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, stamp: processStamp(process.pid), id: randomUUID() });
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    for (;;) {
      // A link is created with its content, so that no process reads an incomplete lock.
      if (link(draft, path)) return { release: () => release(path, mine) };
      const text = readText(path);
      if (text === undefined) continue;
      const holder = livingHolder(text);
      if (holder !== undefined) return { holder };
      removeStale(path, text);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @param {string} path @param {string} mine */
function release(path, mine) {
  if (readText(path) === mine) rmSync(path, { force: true });
}

/** Moves a dead holder's file aside. Restores it if another process has replaced it meanwhile. */
function removeStale(path, text) {
  const grave = `${path}.${randomUUID()}`;
  try {
    renameSync(path, grave);
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  if (readText(grave) !== text) link(grave, path);
  rmSync(grave, { force: true });
}

function livingHolder(text) {
  try {
    const { pid, stamp } = JSON.parse(text);
    return processStamp(pid) === stamp ? pid : undefined;
  } catch (error) {
    // Truncated by a power loss: no process holds it.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function link(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}
