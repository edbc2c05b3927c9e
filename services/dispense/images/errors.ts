/** What went wrong while an image was built or read back; `code` is stable, the message says what to do. */
export type ImageErrorCode =
  | "base_missing"
  | "library_missing"
  | "workspace_invalid"
  | "digest_mismatch"
  | "blob_missing"
  | "store_invalid";

export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
