import { readImageFacts } from "@ngpu/protocol/imageFacts";
import { InputError, RetryableError } from "@ngpu/runtime/errors";

/** Milliseconds within which a registry serves a manifest. */
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
