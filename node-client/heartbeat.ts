import { availableParallelism, loadavg } from "node:os";
import { maxSickGpus, type SickGpuReport } from "@ngpu/protocol/wire";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { SickGpu } from "./probe/gpu.ts";
import { freeDiskGib } from "./probe/hardware.ts";
import { partnerText } from "./reasons/partnerText.ts";
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
  sickGpus: () => readonly SickGpu[];
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
    const sickGpus = options.sickGpus().slice(0, maxSickGpus).map(reported);
    session.send({
      type: "heartbeat",
      slot: BigInt(Math.floor(Date.now() / 1000 / slotSeconds)),
      cpuLoad: Math.round(((loadavg()[0] ?? 0) / availableParallelism()) * 100) / 100,
      freeDiskGib: Math.floor(freeDisk),
      running: [...options.running()].slice(0, maxNamed),
      ...(sickGpus.length > 0 && { sickGpus }),
    });
    await rest(Math.min(options.everySeconds(), slotSeconds / 2) * 1000, signal);
  }
}

/** A sick card as match accepts it: drivers print any text, of any length. */
function reported({ code, id, name, detail }: SickGpu): SickGpuReport {
  return {
    code,
    id: text(id, 120),
    name: name === null ? null : text(name, 120),
    detail: text(partnerText(detail), 300),
  };
}

function text(printed: string, length: number): string {
  return printed.replaceAll("\0", " ").slice(0, length).toWellFormed();
}
