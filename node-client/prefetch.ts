import { unpackedBytes } from "@ngpu/protocol/imageDiskSpace";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import type { Engine } from "./docker/engine.ts";
import { findImage, removeImage } from "./docker/images.ts";
import { download } from "./download.ts";
import type { DownloadPriority } from "./downloadPriority.ts";
import type { Journal } from "./journal/open.ts";
import {
  dropPrefetched,
  type Prefetched,
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
};

export type PrefetchOrder = Omit<Extract<ServerMessage, { type: "prefetch" }>, "type">;

/**
 * The images to evict for an image of `sizeBytes`. Pure.
 *
 * @param entries Prefetched images, least recently used first.
 * @returns References, or undefined when evictions do not free enough.
 */
export function decideEvictions(
  entries: readonly Prefetched[],
  facts: { sizeBytes: number; inUse: ReadonlySet<string>; limitBytes: number },
): string[] | undefined {
  let taken = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const evicted: string[] = [];
  for (const { reference, sizeBytes } of entries) {
    if (taken + facts.sizeBytes <= facts.limitBytes) break;
    if (facts.inUse.has(reference)) continue;
    evicted.push(reference);
    taken -= sizeBytes;
  }
  return taken + facts.sizeBytes <= facts.limitBytes ? evicted : undefined;
}

/**
 * Prefetches images one at a time, within their own disk quota. An image that a live lease uses is never evicted. Images that
 * were pulled for a lease do not count.
 */
export function createPrefetcher(deps: PrefetchDependencies) {
  const waiting = new Set<Hex>();
  let chain = Promise.resolve();
  const process = async (order: PrefetchOrder) => {
    const outcome = await prefetch(deps, order);
    deps.send({ type: "prefetched", image: order.image, ...outcome });
  };
  return {
    /** Queues an image, unless it is queued already. The outcome is reported to match. */
    enqueue(order: PrefetchOrder): void {
      if (waiting.has(order.image)) return;
      waiting.add(order.image);
      chain = chain
        .then(() => (deps.signal.aborted ? undefined : process(order)))
        .catch((error) => {
          if (!deps.signal.aborted) deps.logger.warn({ event: "prefetch_failed", ...order, error });
          deps.send({
            type: "prefetched",
            image: order.image,
            outcome: "failed",
            reason: messageOf(error).slice(0, 100),
          });
        })
        .finally(() => waiting.delete(order.image));
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
    /** Resolves when the queue is empty. */
    idle: () => chain,
  };
}

/** The digest of a reference, as the chain stores it. */
function imageOf(reference: string): Hex {
  return `0x${reference.slice(reference.indexOf("@sha256:") + 8)}`;
}

type PrefetchOutcome = { outcome: "present" | "held" | "failed"; reason?: string };

async function prefetch(deps: PrefetchDependencies, order: PrefetchOrder): Promise<PrefetchOutcome> {
  const { engine, journal, logger } = deps;
  const { reference } = order;
  if (!reference.endsWith(`@sha256:${order.image.slice(2)}`))
    return { outcome: "failed", reason: "digest_mismatch" };
  if ((await findImage(engine, reference)) !== undefined) {
    const isOwn = readPrefetched(journal).some((entry) => entry.reference === reference);
    touchPrefetched(journal, [reference], Date.now());
    return { outcome: isOwn ? "present" : "held" };
  }
  dropPrefetched(journal, reference);
  const sizeBytes = unpackedBytes(order.sizeBytes);
  if (!(await evictFor(deps, sizeBytes))) return { outcome: "failed", reason: "quota_exceeded" };
  const image = { reference, sizeBytes: order.sizeBytes, before: undefined };
  const callbacks = { onStage: () => undefined, onProgress: () => undefined };
  const state = await deps.downloadPriority.inBackground<ImageState>(
    reference,
    (signal) => download({ ...deps, signal }, image, callbacks),
    deps.signal,
  );
  if (state.type === "absent") return { outcome: "failed", reason: state.reason ?? "image_unavailable" };
  putPrefetched(journal, { reference, sizeBytes, usedAt: Date.now() });
  logger.info({ event: "image_prefetched", reference });
  return { outcome: "present" };
}

/** Evicts images until `sizeBytes` fit into the quota. @returns Whether they fit. */
async function evictFor(deps: PrefetchDependencies, sizeBytes: number): Promise<boolean> {
  const { journal, engine, logger, limitGib } = deps;
  const inUse = deps.inUse();
  touchPrefetched(journal, inUse, Date.now());
  const evicted = decideEvictions(readPrefetched(journal), {
    sizeBytes,
    inUse,
    limitBytes: limitGib * 2 ** 30,
  });
  if (evicted === undefined) return false;
  for (const reference of evicted) {
    // A lease may need the image by now: the engine keeps an image in use, and the lease pulls any other again.
    await removeImage(engine, reference);
    recordEvicted(journal, reference);
    logger.info({ event: "prefetched_evicted", reference });
    deps.send({ type: "prefetched", image: imageOf(reference), outcome: "evicted" });
  }
  return true;
}
