import { environment } from "../shared/env.ts";

const mebibyte = 1024 * 1024;

export type ProbeConfig = {
  port: number;
  /** What callers present as `Authorization: Bearer`. */
  token: string;
  /** The key of challenges; the token unless set apart, and never sent by anyone. */
  secret: string;
  dataDir: string;
  /** The most bytes of one download or upload. */
  maxBytes: number;
  /** The most MiB that one disk test writes. */
  maxDiskMib: number;
  /** Longest time of one transfer or disk test. */
  maxMs: number;
  /** Transfers at once. */
  maxTransfers: number;
};

/** @throws Error naming every variable that is missing or out of bounds. */
export function probeConfig(env: Record<string, string | undefined>): ProbeConfig {
  const read = environment(env);
  const token = read.secret("PROBE_TOKEN", 16);
  const config = {
    port: read.number("PORT", 8080, 1, 65535),
    token,
    secret: read.secret("PROBE_SECRET", 16, token),
    dataDir: read.text("PROBE_DATA_DIR", "/data"),
    maxBytes: read.number("PROBE_MAX_BYTES", 1024 * mebibyte, 1, Number.MAX_SAFE_INTEGER),
    maxDiskMib: read.number("PROBE_MAX_DISK_MIB", 1024, 1, 1024 * 1024),
    maxMs: read.number("PROBE_MAX_SECONDS", 60, 1, 3600) * 1000,
    maxTransfers: read.number("PROBE_MAX_TRANSFERS", 4, 1, 64),
  };
  read.done();
  return config;
}
