import type { Logger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { GpuReading, Hardware } from "./probe/hardware.ts";

/** Milliseconds between two readings of the GPUs. */
const interval = 30_000;
/** Readings in a row that must fail as a whole before the GPUs are withdrawn: a driver's tool may be busy once. */
const failuresToWithdraw = 2;

/**
 * Reads the GPUs again while the node runs. A card that fails is withdrawn from the offer, one that recovers returns.
 * Leases are left alone: the containers on other cards run on.
 */
export function watchGpus(options: {
  hardware: Hardware;
  read: () => Promise<GpuReading>;
  onChange: () => void;
  logger: Logger;
  signal: AbortSignal;
}): Loop {
  let failures = 0;
  const { hardware, logger, signal } = options;
  return startLoop({ name: "gpus", logger, signal, interval }, async () => {
    const next = await options.read();
    failures = next.sickGpus.some((gpu) => gpu.code === "gpu_driver_failed") ? failures + 1 : 0;
    if (failures > 0 && failures < failuresToWithdraw) return;
    if (applyReading(hardware, next, logger)) options.onChange();
  });
}

/** Replaces the GPUs by a new reading and logs the changes. @returns Whether the offer may have changed. */
export function applyReading(hardware: Hardware, next: GpuReading, logger: Logger): boolean {
  const listed = new Set([...next.healthy, ...next.sickGpus.map((gpu) => gpu.id)]);
  const keyOf = (gpu: GpuReading["sickGpus"][number]) => `${gpu.id}/${gpu.code}`;
  const known = new Set(hardware.sickGpus.map(keyOf));
  const sickGpus = [...next.sickGpus];
  // The driver no longer lists these cards at all.
  for (const { uuid, name } of hardware.gpus) {
    if (!listed.has(uuid))
      sickGpus.push({ code: "gpu_lost", id: uuid, name, detail: "The driver no longer lists it." });
  }
  const offered = new Set(next.gpus.map((gpu) => gpu.uuid));
  for (const gpu of hardware.sickGpus) {
    const isMissing = gpu.code === "gpu_lost" && gpu.name !== null && !listed.has(gpu.id);
    if (isMissing) sickGpus.push(gpu);
    if (offered.has(gpu.id)) logger.info({ event: "gpu_recovered", id: gpu.id, name: gpu.name });
  }
  for (const gpu of sickGpus) if (!known.has(keyOf(gpu))) logger.warn({ event: "gpu_sick", ...gpu });
  const before = hardware.gpus.map((gpu) => gpu.uuid).join();
  hardware.gpus = next.gpus;
  hardware.sickGpus = sickGpus;
  return before !== next.gpus.map((gpu) => gpu.uuid).join();
}
