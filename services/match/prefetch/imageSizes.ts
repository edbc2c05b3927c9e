import { readImageFacts } from "@ngpu/protocol/imageFacts";
import type { Logger } from "@ngpu/runtime/logger";
import type { PopularImage } from "./decide.ts";

type Unsized = Omit<PopularImage, "sizeBytes">;

/** Adds the sizes of images, from their manifests. */
export type ImageSizes = (images: readonly Unsized[]) => Promise<PopularImage[]>;

const maxKnown = 1_000;

/** Reads each manifest once: a digest always has the same one. A registry that does not serve it is asked again. */
export function createImageSizes(options: {
  signal: AbortSignal;
  privateAddresses: boolean;
  logger: Logger;
}): ImageSizes {
  const known = new Map<string, bigint>();
  const sizeOf = async ({ image, reference }: Unsized): Promise<bigint | null> => {
    const before = known.get(image);
    if (before !== undefined) return before;
    try {
      const { sizeBytes } = await readImageFacts(reference, options);
      if (known.size >= maxKnown) known.clear();
      known.set(image, sizeBytes);
      return sizeBytes;
    } catch (error) {
      options.logger.info({ event: "image_size_unknown", reference, error });
      return null;
    }
  };
  return (images) => Promise.all(images.map(async (one) => ({ ...one, sizeBytes: await sizeOf(one) })));
}
