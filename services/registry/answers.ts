import { type Digest, hexOf } from "@ngpu/image-store/digest";
import type { Logger } from "@ngpu/runtime/logger";
import type { Request, Response } from "express";

/** @deadline A puller to read a byte of an image. Its connection is closed, which frees the file; it pulls the rest again. */
const transferSilence = 60_000;

/** Error codes of the OCI distribution specification. */
export type RegistryCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "RANGE_INVALID"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNAVAILABLE"
  | "UNSUPPORTED"
  | "UNKNOWN";

export type Refusal = { code: RegistryCode; message: string; hint: string };

export const namePattern = /^[a-z0-9]+(?:[._-][a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-][a-z0-9]+)*)*$/;
export const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** The repository of a route `/v2/*name/…`. */
export function nameOf(request: Request): string {
  const segments: unknown = request.params.name;
  return Array.isArray(segments) ? segments.join("/") : "";
}

/** Answers with an error of the OCI distribution specification. */
export function refuse(response: Response, status: number, { code, message, hint }: Refusal): void {
  // These headers describe the blob, not the error.
  for (const header of ["Content-Type", "Docker-Content-Digest", "ETag"]) response.removeHeader(header);
  response.status(status).json({ errors: [{ code, message, detail: { hint } }] });
}

/** Streams a blob. express handles ranges, HEAD and conditional requests; a client that disconnects is not an error. */
export function sendBlob(
  deps: { storeDir: string; silence?: number; logger?: Pick<Logger, "debug"> },
  response: Response,
  { digest, type }: { digest: Digest; type: string },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  response.set({ "Content-Type": type, "Docker-Content-Digest": digest, ETag: `"${digest}"` });
  const started = performance.now();
  response.setTimeout(deps.silence ?? transferSilence, () => response.destroy());
  const options = { root: `${deps.storeDir}/blobs/sha256`, lastModified: false, cacheControl: false };
  response.sendFile(hexOf(digest), options, (error?: Error) => {
    if (error && !response.headersSent) return reject(error);
    const range = response.req.headers.range;
    const facts = { digest, status: response.statusCode, duration: Math.round(performance.now() - started) };
    deps.logger?.debug({
      event: error ? "registry_aborted" : "registry_served",
      ...facts,
      ...(range && { range }),
    });
    resolve();
  });
  return promise;
}
