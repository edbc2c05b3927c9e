import type { Logger } from "@ngpu/runtime/logger";
import type { Engine } from "./docker/engine.ts";
import { removeImage } from "./docker/images.ts";
import type { Journal } from "./journal/open.ts";
import { readPrefetched, recordEvicted } from "./journal/prefetched.ts";
import { dropPulled, readPulled, touchPulled } from "./journal/pulled.ts";
import { freeDiskGib } from "./probe/hardware.ts";

/** Disk for the images of leases. */
export type ImageRoom = {
  /**
   * Evicts images that no live lease uses, least recently used first, until enough disk is free. Images that the operator pulled
   * are never touched.
   *
   * @param wantedGib Disk that is to be free.
   * @returns GiB that are still missing; zero or less when there is enough.
   */
  make(wantedGib: number): Promise<number>;
};

/** @param deps.free Reads the free disk, GiB. Default: that of the engine's data. */
export function createImageRoom(deps: {
  engine: Engine;
  journal: Journal;
  dataDir: string;
  logger: Logger;
  /** References of the images that live leases use. */
  inUse: () => ReadonlySet<string>;
  free?: () => Promise<number>;
}): ImageRoom {
  const free = deps.free ?? (() => freeDiskGib(deps.dataDir));
  // Two at the same time would count the same free disk.
  let turn: Promise<unknown> = Promise.resolve();
  return {
    make: (wantedGib) => {
      const made = turn.then(() => make(deps, free, wantedGib));
      turn = made.catch(() => undefined);
      return made;
    },
  };
}

async function make(
  deps: Parameters<typeof createImageRoom>[0],
  free: () => Promise<number>,
  wantedGib: number,
): Promise<number> {
  const { engine, journal, logger } = deps;
  let missing = wantedGib - (await free());
  if (missing <= 0) return missing;
  touchPulled(journal, deps.inUse(), Date.now());
  for (const { reference, isPrefetched } of evictable(journal)) {
    // A lease may have come while the one before was removed.
    if (deps.inUse().has(reference)) continue;
    // A container that ends has its image until it is removed: the engine keeps it, and it is tried again.
    if (!(await removeImage(engine, reference))) continue;
    dropPulled(journal, reference);
    if (isPrefetched) recordEvicted(journal, reference);
    logger.info({ event: "image_evicted", reference });
    missing = wantedGib - (await free());
    if (missing <= 0) break;
  }
  return missing;
}

/** The client's images, least recently used first. */
function evictable(journal: Journal): { reference: string; usedAt: number; isPrefetched: boolean }[] {
  const prefetched = new Map(readPrefetched(journal).map(({ reference, usedAt }) => [reference, usedAt]));
  const pulled = new Map(readPulled(journal).map(({ reference, usedAt }) => [reference, usedAt]));
  return [...new Set([...prefetched.keys(), ...pulled.keys()])]
    .map((reference) => ({
      reference,
      usedAt: Math.max(prefetched.get(reference) ?? 0, pulled.get(reference) ?? 0),
      isPrefetched: prefetched.has(reference),
    }))
    .sort((a, b) => a.usedAt - b.usedAt);
}
