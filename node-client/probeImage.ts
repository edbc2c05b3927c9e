import type { Logger } from "@ngpu/runtime/logger";
import type { Engine } from "./docker/engine.ts";
import { findImage, pullImage } from "./docker/images.ts";
import type { DownloadPriority } from "./downloadPriority.ts";

/** Pulls an image unless the engine has it. @throws RetryableError as `pullImage` does. */
export async function pullIfAbsent(engine: Engine, reference: string, signal: AbortSignal): Promise<void> {
  if ((await findImage(engine, reference)) !== undefined) return;
  await pullImage(engine, reference, { sizeBytes: undefined, onProgress: () => {}, signal });
}

/**
 * Pulls the market's probe image in the background, so that the first measurement round does not wait for it. Downloads for
 * leases go first. Never throws: after an error, the first round pulls the image.
 *
 * @param options.reference `name@sha256:…`; undefined when the market has no probe image.
 */
export async function prefetchProbeImage(options: {
  engine: Engine;
  reference: string | undefined;
  downloadPriority: DownloadPriority;
  logger: Logger;
  signal: AbortSignal;
}): Promise<void> {
  const { engine, reference, downloadPriority, logger, signal } = options;
  if (reference === undefined) return;
  const error = await downloadPriority.inBackground(
    reference,
    (stop) =>
      pullIfAbsent(engine, reference, stop).then(
        () => undefined,
        (failure: unknown) => failure,
      ),
    signal,
  );
  if (error === undefined) logger.info({ event: "probe_image_present", reference });
  else if (!signal.aborted) logger.warn({ event: "probe_image_failed", reference, error });
}
