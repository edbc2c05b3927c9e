import { marginGib, unpackedBytes } from "@ngpu/protocol/imageDiskSpace";
import { startOf } from "@ngpu/protocol/reasons/boundedText";
import type { NodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { longestPullPause } from "./decideRun.ts";
import { type Engine, saidBy } from "./docker/engine.ts";
import { findImage, type PullProgress, pullImage } from "./docker/images.ts";
import type { ImageRoom } from "./imageRoom.ts";
import { freeDiskGib } from "./probe/hardware.ts";
import { pullReason } from "./reasons/engineReasons.ts";
import type { ImageState } from "./reconcileFacts.ts";

export type Stage = "downloading" | "downloaded" | "verified";

type Absent = Extract<ImageState, { type: "absent" }>;

/** Attempts before the lease is reported as failed. */
const maxFailures = 8;
/** Disk for an image of unknown size, GiB. */
const unknownGib = 2;

/**
 * Pulls one image and verifies its digest. Never throws.
 *
 * @param image.before The state after the previous attempt.
 * @returns The image's state: present, or absent with the reason and the time of the next attempt.
 */
export async function download(
  deps: {
    engine: Engine;
    dataDir: string;
    logger: Logger;
    signal: AbortSignal;
    /** Makes room for the image of a lease. Without it only what is free is used. */
    room?: ImageRoom;
  },
  image: { reference: string; sizeBytes: bigint | undefined; before: ImageState | undefined },
  callbacks: { onStage: (stage: Stage) => void; onProgress: (progress: PullProgress) => void },
): Promise<ImageState> {
  const { engine, logger } = deps;
  const { reference } = image;
  const failures = (image.before?.type === "absent" ? image.before.failures : 0) + 1;
  const started = performance.now();
  try {
    const missing = await missingGib(deps, image.sizeBytes);
    if (missing > 0) {
      logger.error({ event: "image_too_large", reference, missingGib: Math.ceil(missing) });
      const cause: NodeReason = { code: "disk_full", details: { missingGib: Math.ceil(missing) } };
      return absent({ failures, reason: "disk_full", permanent: true, cause });
    }
    callbacks.onStage("downloading");
    const { onProgress } = callbacks;
    await pullImage(engine, reference, { sizeBytes: image.sizeBytes, onProgress, signal: deps.signal });
    callbacks.onStage("downloaded");
    if ((await findImage(engine, reference)) === undefined) {
      logger.error({ event: "image_digest_mismatch", reference });
      const cause: NodeReason = {
        code: "image_digest_mismatch",
        details: { image: startOf(reference, 400) },
      };
      return absent({ failures, reason: "digest_mismatch", permanent: failures >= maxFailures, cause });
    }
    callbacks.onStage("verified");
    logger.info({ event: "image_downloaded", reference, duration: Math.round(performance.now() - started) });
    return { type: "present" };
  } catch (error) {
    if (!deps.signal.aborted) logger.warn({ event: "image_download_failed", reference, failures, error });
    const cause = pullReason(reference, saidOf(error));
    return absent({ failures, reason: "image_unavailable", permanent: failures >= maxFailures, cause });
  }
}

/** What the engine says, in the pull's progress or as its response. */
function saidOf(error: unknown): string {
  const said = error instanceof NgpuError ? error.details.said : undefined;
  return typeof said === "string" ? said : saidBy(error);
}

function absent(state: Pick<Absent, "failures" | "reason" | "permanent" | "cause">): Absent {
  const pause = Math.min(longestPullPause, 1_000 * 2 ** (state.failures - 1));
  return { type: "absent", retryAt: Date.now() + pause, ...state };
}

/** GiB of disk missing for an image; zero or less when it fits. */
async function missingGib(
  { dataDir, room }: { dataDir: string; room?: ImageRoom },
  sizeBytes: bigint | undefined,
): Promise<number> {
  const image = sizeBytes === undefined ? unknownGib : unpackedBytes(sizeBytes) / 2 ** 30;
  const wanted = image + marginGib;
  return room === undefined ? wanted - (await freeDiskGib(dataDir)) : room.make(wanted);
}
