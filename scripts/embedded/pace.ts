import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";

// Duration of the two probes on the reference machine of every deadline, in ms.
const REFERENCE_COMPUTE_MS = 65;
const REFERENCE_SPAWN_MS = 60;
/** Upper bound: a slower machine is broken. */
const SLOWEST = 20;

// One value for the process, because it describes the machine.
let factor = 1;

/** How many times slower this machine is than the reference machine; at least 1. */
export function pace(): number {
  return factor;
}

/** A deadline, adjusted to this machine. */
export function atPace(milliseconds: number): number {
  return milliseconds * factor;
}

/** Explains a longer deadline in a message; empty when it is not longer. */
export function paceNote(): string {
  if (factor < 1.05) return "";
  return ` (this machine is ${factor.toFixed(1)} times slower than the one the limits were set for)`;
}

/**
 * Measures this machine's current speed: a fixed computation and the start of a process. The slowest result counts
 * from then on, because a machine that was slow once becomes slow again.
 */
export async function measurePace(): Promise<number> {
  const computeMs = await timed(compute);
  const spawnMs = await timed(startNode);
  factor = Math.max(factor, factorOf({ computeMs, spawnMs }));
  return factor;
}

/** The slower of the two counts, within bounds. */
export function factorOf({ computeMs, spawnMs }: { computeMs: number; spawnMs: number }): number {
  const slower = Math.max(computeMs / REFERENCE_COMPUTE_MS, spawnMs / REFERENCE_SPAWN_MS);
  return Math.min(SLOWEST, Math.max(1, slower));
}

async function timed(work: () => Promise<void> | void): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function compute(): void {
  let block: Buffer = Buffer.alloc(64 * 1024, 7);
  for (let round = 0; round < 400; round++) {
    block = Buffer.concat([createHash("sha256").update(block).digest(), block.subarray(32)]);
  }
}

async function startNode(): Promise<void> {
  const child = spawn(process.execPath, ["--eval", "0"], { stdio: "ignore" });
  await once(child, "exit");
}
