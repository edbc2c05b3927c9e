import { readImageFacts } from "@ngpu/protocol/imageFacts";
import type { Logger } from "@ngpu/runtime/logger";
import type { PopularImage } from "./decide.ts";

type Unsized = Omit<PopularImage, "sizeBytes">;

/** Adds the sizes of images, from their manifests. */
export type ImageSizes = (images: readonly Unsized[]) => Promise<PopularImage[]>;

const maxKnown = 1_000;
/** @deadline The manifests of images to prefetch. A round goes on without them; they are used in the next one. */
const roundDeadline = 1_000;

/**
 * Reads each manifest once: a digest always has the same one. A registry that does not serve it is asked again. A slow registry delays no
 * image of another.
 */
export function createImageSizes(options: {
  signal: AbortSignal;
  privateAddresses: boolean;
  logger: Logger;
  /** Milliseconds until images whose size is not known are returned without it. Default 1,000. */
  deadline?: number;
}): ImageSizes {
  const known = new Map<string, bigint>();
  const reading = new Map<string, Promise<void>>();
  const read = async ({ image, reference }: Unsized) => {
    try {
      const { signal, privateAddresses } = options;
      const { sizeBytes } = await readImageFacts(reference, { signal, privateAddresses });
      if (known.size >= maxKnown) known.clear();
      known.set(image, sizeBytes);
    } catch (error) {
      options.logger.info({ event: "image_size_unknown", reference, error });
    } finally {
      reading.delete(image);
    }
  };
  return async (images) => {
    for (const each of images) {
      const { image } = each;
      if (!known.has(image) && !reading.has(image)) reading.set(image, Promise.resolve(each).then(read));
    }
    const own = images.flatMap(({ image }) => reading.get(image) ?? []);
    const ended = Promise.withResolvers<void>();
    using _timer = setTimeout(ended.resolve, options.deadline ?? roundDeadline);
    await Promise.race([Promise.all(own), ended.promise]);
    return images.map((one) => ({ ...one, sizeBytes: known.get(one.image) ?? null }));
  };
}
