import { marginGib, unpackedBytes } from "@ngpu/protocol/imageDiskSpace";
import type { Logger } from "@ngpu/runtime/logger";
import type { Engine } from "./docker/engine.ts";
import { findImage, type PullProgress, pullImage } from "./docker/images.ts";
import { freeDiskGib } from "./probe/hardware.ts";
import type { ImageState } from "./reconcileFacts.ts";

export type Stage = "downloading" | "downloaded" | "verified";

type Absent = Extract<ImageState, { type: "absent" }>;

/** Tries before the lease is reported as failed. */
const maxFailures = 8;
/** What an unknown image may take. */
const unknownGib = 2;

/**
 * Brings one image here and checks it by its digest. Never throws for an outcome: what it gives says whether and when to try again.
 *
 * @param before What is known of earlier tries.
 */
export async function download(
  deps: { engine: Engine; dataDir: string; logger: Logger; signal: AbortSignal },
  image: { reference: string; sizeBytes: bigint | undefined; before: ImageState | undefined },
  callbacks: { onStage: (stage: Stage) => void; onProgress: (progress: PullProgress) => void },
): Promise<ImageState> {
  const { engine, logger } = deps;
  const { reference } = image;
  const failures = (image.before?.type === "absent" ? image.before.failures : 0) + 1;
  const started = performance.now();
  try {
    const lacking = await lackingGib(deps.dataDir, image.sizeBytes);
    if (lacking > 0) {
      logger.error({ event: "image_too_large", reference, lackingGib: Math.ceil(lacking) });
      return absent({ failures, reason: "disk_full", permanent: true });
    }
    callbacks.onStage("downloading");
    const { onProgress } = callbacks;
    await pullImage(engine, reference, { sizeBytes: image.sizeBytes, onProgress, signal: deps.signal });
    callbacks.onStage("downloaded");
    if ((await findImage(engine, reference)) === undefined) {
      logger.error({ event: "image_digest_mismatch", reference });
      return absent({ failures, reason: "digest_mismatch", permanent: failures >= maxFailures });
    }
    callbacks.onStage("verified");
    logger.info({ event: "image_downloaded", reference, duration: Math.round(performance.now() - started) });
    return { type: "present" };
  } catch (error) {
    if (!deps.signal.aborted) logger.warn({ event: "image_download_failed", reference, failures, error });
    return absent({ failures, reason: "image_unavailable", permanent: failures >= maxFailures });
  }
}

function absent(state: Pick<Absent, "failures" | "reason" | "permanent">): Absent {
  const pause = Math.min(60_000, 1_000 * 2 ** (state.failures - 1));
  return { type: "absent", retryAt: Date.now() + pause, ...state };
}

/** How many GiB are missing for an image; not above zero when it fits. An engine elsewhere is not looked into. */
async function lackingGib(dataDir: string, sizeBytes: bigint | undefined): Promise<number> {
  const wanted = sizeBytes === undefined ? unknownGib : unpackedBytes(sizeBytes) / 2 ** 30;
  return wanted + marginGib - (await freeDiskGib(dataDir));
}
