// Plain JavaScript: the bootstrap uses it before anything is installed, on whatever Node is there.
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Tells one life of a pid from another: a recycled pid, or the same pid after a reboot, has another stamp.
 *
 * @param {number} pid
 * @returns {string | undefined} undefined when no such process runs (a zombie has ended)
 */
export function processStamp(pid) {
  if (process.platform !== "linux") return stampFromPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name stands in brackets and may hold spaces; what follows does not.
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
 * Takes a lock that a killed holder does not keep: the file names its holder, and a dead holder's file is taken over.
 *
 * @param {string} path
 * @returns {{ release: () => void, holder?: undefined } | { holder: number, release?: undefined }} the pid of
 *   whoever holds it when it is taken
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, stamp: processStamp(process.pid), id: randomUUID() });
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    for (;;) {
      // A link appears with its content, so that nobody reads a lock half written.
      if (link(draft, path)) return { release: () => release(path, mine) };
      const text = readText(path);
      if (text === undefined) continue;
      const holder = livingHolder(text);
      if (holder !== undefined) return { holder };
      takeAway(path, text);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @param {string} path @param {string} mine */
function release(path, mine) {
  if (readText(path) === mine) rmSync(path, { force: true });
}

/** Moves a dead holder's file aside; puts it back when someone else was quicker and it is theirs by now. */
function takeAway(path, text) {
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
    // Cut off by a power loss: nobody holds it.
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

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
