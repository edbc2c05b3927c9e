import { unpackedBytes } from "@ngpu/protocol/imageDiskSpace";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import type { Engine } from "./docker/engine.ts";
import { findImage, removeImage } from "./docker/images.ts";
import { download } from "./download.ts";
import type { DownloadPriority } from "./downloadPriority.ts";
import { decideEvictions } from "./evictions.ts";
import type { Journal } from "./journal/open.ts";
import {
  dropPrefetched,
  putPrefetched,
  readEvicted,
  readPrefetched,
  recordEvicted,
  touchPrefetched,
} from "./journal/prefetched.ts";
import type { ImageState } from "./reconcileFacts.ts";

export type PrefetchDependencies = {
  engine: Engine;
  dataDir: string;
  journal: Journal;
  logger: Logger;
  signal: AbortSignal;
  send: (message: ClientMessage) => boolean;
  downloadPriority: DownloadPriority;
  /** References of images that live leases use. */
  inUse: () => ReadonlySet<string>;
  /** Disk for prefetched images, GiB; 0 disables prefetching. */
  limitGib: number;
  /** Milliseconds for one image. Default 30 minutes. */
  deadline?: number;
};

/** @deadline An image in the background, from any registry. It counts as failed, and match orders it again later. */
const prefetchDeadline = 1_800_000;

export type PrefetchOrder = Omit<Extract<ServerMessage, { type: "prefetch" }>, "type">;

/** What is in progress. */
type InProgress = {
  images: Map<Hex, Promise<void>>;
  /** Unpacked sizes of images that are being downloaded. They count as stored. */
  reserved: Map<Hex, number>;
  /** References of images that are being removed. Their space is counted already. */
  evicting: Set<string>;
  /** Looks for an image on the engine, one after another: images are taken in the order in which they are enqueued. */
  find: (reference: string) => ReturnType<typeof findImage>;
};

/**
 * Prefetches images within their own disk quota, at the same time: a slow registry delays no image of another. match limits their number.
 * An image that a live lease uses is never evicted. Images that were pulled for a lease do not count.
 */
export function createPrefetcher(deps: PrefetchDependencies) {
  let turn: Promise<unknown> = Promise.resolve();
  const now: InProgress = {
    images: new Map(),
    reserved: new Map(),
    evicting: new Set(),
    find: (reference) => {
      const found = turn.then(() => findImage(deps.engine, reference));
      turn = found.catch(() => undefined);
      return found;
    },
  };
  const run = async (order: PrefetchOrder) => {
    try {
      const outcome = await prefetch(deps, now, order);
      deps.send({ type: "prefetched", image: order.image, ...outcome });
    } catch (error) {
      if (!deps.signal.aborted) deps.logger.warn({ event: "prefetch_failed", ...order, error });
      const reason = messageOf(error).slice(0, 100);
      deps.send({ type: "prefetched", image: order.image, outcome: "failed", reason });
    } finally {
      now.reserved.delete(order.image);
      now.images.delete(order.image);
    }
  };
  return {
    /** Prefetches an image, unless that is in progress. The outcome is reported to match. */
    enqueue(order: PrefetchOrder): void {
      if (now.images.has(order.image) || deps.signal.aborted) return;
      now.images.set(order.image, Promise.resolve(order).then(run));
    },
    /** Reports the present and the evicted images again: reports without an open session were lost. */
    repeat(): void {
      // match closes a session that sends too many messages in a burst.
      for (const { reference } of readPrefetched(deps.journal).slice(-100)) {
        deps.send({ type: "prefetched", image: imageOf(reference), outcome: "present" });
      }
      for (const reference of readEvicted(deps.journal)) {
        deps.send({ type: "prefetched", image: imageOf(reference), outcome: "evicted" });
      }
    },
    /** Resolves when no image is being prefetched. */
    idle: async () => void (await Promise.all(now.images.values())),
  };
}

/** The digest of a reference, as the chain stores it. */
function imageOf(reference: string): Hex {
  return `0x${reference.slice(reference.indexOf("@sha256:") + 8)}`;
}

type PrefetchOutcome = { outcome: "present" | "held" | "failed"; reason?: string };

async function prefetch(
  deps: PrefetchDependencies,
  now: InProgress,
  order: PrefetchOrder,
): Promise<PrefetchOutcome> {
  const { journal, logger } = deps;
  const { reference } = order;
  if (!reference.endsWith(`@sha256:${order.image.slice(2)}`))
    return { outcome: "failed", reason: "digest_mismatch" };
  if ((await now.find(reference)) !== undefined) {
    const isOwn = readPrefetched(journal).some((entry) => entry.reference === reference);
    touchPrefetched(journal, [reference], Date.now());
    return { outcome: isOwn ? "present" : "held" };
  }
  dropPrefetched(journal, reference);
  const sizeBytes = unpackedBytes(order.sizeBytes);
  if (!(await reserve(deps, now, order.image, sizeBytes)))
    return { outcome: "failed", reason: "quota_exceeded" };
  const deadline = AbortSignal.timeout(deps.deadline ?? prefetchDeadline);
  const image = { reference, sizeBytes: order.sizeBytes, before: undefined };
  const callbacks = { onStage: () => undefined, onProgress: () => undefined };
  const state = await deps.downloadPriority.inBackground<ImageState>(
    reference,
    (signal) => download({ ...deps, signal: AbortSignal.any([signal, deadline]) }, image, callbacks),
    AbortSignal.any([deps.signal, deadline]),
  );
  if (deadline.aborted && state.type === "absent") return { outcome: "failed", reason: "deadline_exceeded" };
  if (state.type === "absent") return { outcome: "failed", reason: state.reason ?? "image_unavailable" };
  putPrefetched(journal, { reference, sizeBytes, usedAt: Date.now() });
  logger.info({ event: "image_prefetched", reference });
  return { outcome: "present" };
}

/**
 * Reserves space in the quota and evicts images for it. Waits while only images in progress are in the way.
 *
 * @returns Whether the image fits.
 */
async function reserve(
  deps: PrefetchDependencies,
  { images, reserved, evicting }: InProgress,
  image: Hex,
  sizeBytes: number,
): Promise<boolean> {
  for (;;) {
    const inUse = deps.inUse();
    touchPrefetched(deps.journal, inUse, Date.now());
    const entries = readPrefetched(deps.journal).filter(({ reference }) => !evicting.has(reference));
    const limitBytes = deps.limitGib * 2 ** 30;
    const busyBytes = [...reserved.values()].reduce((sum, bytes) => sum + bytes, 0);
    const evicted = decideEvictions(entries, { sizeBytes, inUse, limitBytes: limitBytes - busyBytes });
    if (evicted !== undefined) {
      reserved.set(image, sizeBytes);
      await evict(deps, evicting, evicted);
      return true;
    }
    const others = [...reserved.keys()].flatMap((each) => images.get(each) ?? []);
    const mayFit = decideEvictions(entries, { sizeBytes, inUse, limitBytes }) !== undefined;
    if (!mayFit || others.length === 0 || deps.signal.aborted) return false;
    await Promise.race(others);
  }
}

async function evict(
  { engine, journal, logger, send }: PrefetchDependencies,
  evicting: Set<string>,
  references: readonly string[],
): Promise<void> {
  for (const reference of references) evicting.add(reference);
  try {
    for (const reference of references) {
      // A lease may need the image by now: the engine keeps an image in use, and the lease pulls any other again.
      await removeImage(engine, reference);
      recordEvicted(journal, reference);
      logger.info({ event: "prefetched_evicted", reference });
      send({ type: "prefetched", image: imageOf(reference), outcome: "evicted" });
    }
  } finally {
    for (const reference of references) evicting.delete(reference);
  }
}
