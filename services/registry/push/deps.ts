import type { Database } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";

export type PushDeps = {
  db: Database;
  /** Directory of the pushed blobs and of uploads in progress. */
  storeDir: string;
  logger: Logger;
  /** The registry's URL as clients reach it; undefined: that of each request. */
  publicUrl: string | undefined;
  /** Bytes that an account may store. */
  quotaBytes: number;
  /** Bytes of disk that are left free. */
  reserveBytes: number;
  /** Milliseconds that a client may send or read nothing. Default 60,000. */
  silence?: number;
};

/** Open uploads of an account, at most. Docker sends five layers at a time. */
export const mostUploads = 64;
