import { availableParallelism, loadavg } from "node:os";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { freeDiskGib } from "./probe/hardware.ts";
import type { Session } from "./session.ts";

/** Most leases in one heartbeat. */
const maxNamed = 1024;

/** Sends heartbeats, at least two a slot, until the signal is aborted. */
export async function sendHeartbeats(options: {
  session: Session;
  slotSeconds: number;
  /** Seconds between heartbeats, as match requests. */
  everySeconds: () => number;
  dataDir: string;
  running: () => Iterable<string>;
  signal: AbortSignal;
  logger: Logger;
}): Promise<void> {
  const { session, slotSeconds, signal, logger } = options;
  while (!signal.aborted) {
    let freeDisk = 0;
    try {
      freeDisk = await freeDiskGib(options.dataDir);
    } catch (error) {
      logger.warn({ event: "disk_unreadable", path: options.dataDir, error });
    }
    session.send({
      type: "heartbeat",
      slot: BigInt(Math.floor(Date.now() / 1000 / slotSeconds)),
      cpuLoad: Math.round(((loadavg()[0] ?? 0) / availableParallelism()) * 100) / 100,
      freeDiskGib: Math.floor(freeDisk),
      running: [...options.running()].slice(0, maxNamed),
    });
    await rest(Math.min(options.everySeconds(), slotSeconds / 2) * 1000, signal);
  }
}
