import { readImageFacts } from "@ngpu/protocol/imageFacts";
import { InputError, RetryableError } from "@ngpu/runtime/errors";

/** @deadline The registry of an image that a partner names. The image's facts stay unknown. */
const deadlineMs = 5_000;

/**
 * The size of an image from its manifest; undefined when its registry does not serve it to this API.
 *
 * @throws InputError `image_manifest_invalid` (409) when the registry serves something else under the digest.
 */
export async function verifiedSize(
  { digest, reference }: { digest: string; reference: string },
  privateAddresses: boolean,
): Promise<bigint | undefined> {
  const options = { signal: AbortSignal.timeout(deadlineMs), privateAddresses };
  try {
    return (await readImageFacts(`${reference}@sha256:${digest.slice(2)}`, options)).sizeBytes;
  } catch (error) {
    // A registry may ask for a key, or be reached by nodes only.
    if (error instanceof RetryableError) return undefined;
    throw new InputError("The registry does not serve the manifest of an image under this digest.", {
      code: "image_manifest_invalid",
      status: 409,
      hint: "Use the digest that `docker push` prints, and the reference without it.",
      cause: error,
    });
  }
}

/**
 * Refuses an image that the market's own registry does not have: no node can pull it. What another registry has is not asked, and
 * while the market's does not answer, every image passes.
 *
 * @throws InputError `image_not_found` (409).
 */
export async function requireImage(
  { network }: { network: { probeImage: string } },
  image: string,
): Promise<void> {
  const [own] = network.probeImage.split("/");
  if (own === undefined || image.split("/")[0] !== own) return;
  const options = { signal: AbortSignal.timeout(deadlineMs), privateAddresses: true };
  try {
    await readImageFacts(image, options);
  } catch (error) {
    if (!(error instanceof RetryableError) || error.details.status !== 404) return;
    throw new InputError(`The market's registry has no image ${image}.`, {
      code: "image_not_found",
      status: 409,
      hint: "Check the name and the digest that `docker push` prints.",
      cause: error,
    });
  }
}
