import type { Transform } from "node:stream";
import {
  constants,
  createBrotliDecompress,
  createInflate,
  createUnzip,
  createZstdDecompress,
} from "node:zlib";

/** Power of two of the bytes that a body of zstd may refer back to: at most 8 MiB on the web (RFC 9659), not any memory. */
const zstdWindow = { params: { [constants.ZSTD_d_windowLogMax]: 23 } };

const decoders: Record<string, () => Transform> = {
  gzip: createUnzip,
  "x-gzip": createUnzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: () => createZstdDecompress(zstdWindow),
};

/** Reads a body as its parts arrive, decoded. */
export type BodyDecoder = {
  add(part: Buffer): void;
  /** Resolves when everything added is decoded: false when the body is not in its coding, or longer than the limit. */
  end(): Promise<boolean>;
};

/**
 * Decodes a body by its `content-encoding`. At most `limit` decoded bytes are passed on, so that a small body cannot fill the
 * memory.
 *
 * @returns Undefined for a coding that is not known.
 */
export function createBodyDecoder(
  encoding: string | undefined,
  limit: number,
  onPart: (part: Buffer) => void,
): BodyDecoder | undefined {
  const codings = (encoding ?? "")
    .toLowerCase()
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "" && one !== "identity");
  if (codings.length === 0) return plainDecoder(limit, onPart);
  const [coding] = codings;
  const create = coding === undefined || codings.length > 1 ? undefined : decoders[coding];
  return create === undefined ? undefined : transformDecoder(create(), limit, onPart);
}

function plainDecoder(limit: number, onPart: (part: Buffer) => void): BodyDecoder {
  let length = 0;
  return {
    add: (part) => {
      length += part.length;
      if (length <= limit) onPart(part);
    },
    end: async () => length <= limit,
  };
}

function transformDecoder(transform: Transform, limit: number, onPart: (part: Buffer) => void): BodyDecoder {
  const ended = Promise.withResolvers<boolean>();
  let length = 0;
  transform.on("data", (part: Buffer) => {
    length += part.length;
    if (length > limit) transform.destroy();
    else onPart(part);
  });
  transform.once("end", () => ended.resolve(true));
  transform.on("error", () => ended.resolve(false));
  transform.once("close", () => ended.resolve(false));
  return {
    add: (part) => {
      if (!transform.destroyed) transform.write(part);
    },
    end: () => {
      if (!transform.destroyed) transform.end();
      return ended.promise;
    },
  };
}
