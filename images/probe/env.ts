import { environment } from "../shared/env.ts";

const mebibyte = 1024 * 1024;

export type ProbeConfig = {
  port: number;
  /** Bearer token of the callers. */
  token: string;
  /** Key of the challenges; default: the token. */
  secret: string;
  /** Token of the node client, which puts answers of a wave. Undefined outside waves. */
  driver: string | undefined;
  dataDir: string;
  /** Maximum bytes of one download or upload. */
  maxBytes: number;
  /** Maximum MiB that one disk test writes. */
  maxDiskMib: number;
  /** Maximum duration of one transfer or disk test, in milliseconds. */
  maxMs: number;
  /** Maximum concurrent transfers. */
  maxTransfers: number;
};

/**
 * Reads the configuration.
 *
 * @throws Error that lists every variable that is missing or out of bounds.
 */
export function probeConfig(env: Record<string, string | undefined>): ProbeConfig {
  const read = environment(env);
  const token = read.secret("PROBE_TOKEN", 16);
  const config = {
    port: read.number("PORT", 8080, 1, 65535),
    token,
    secret: read.secret("PROBE_SECRET", 16, token),
    driver: env.PROBE_DRIVER_TOKEN === undefined ? undefined : read.secret("PROBE_DRIVER_TOKEN", 16),
    dataDir: read.text("PROBE_DATA_DIR", "/data"),
    maxBytes: read.number("PROBE_MAX_BYTES", 1024 * mebibyte, 1, Number.MAX_SAFE_INTEGER),
    maxDiskMib: read.number("PROBE_MAX_DISK_MIB", 1024, 1, 1024 * 1024),
    maxMs: read.number("PROBE_MAX_SECONDS", 60, 1, 3600) * 1000,
    maxTransfers: read.number("PROBE_MAX_TRANSFERS", 4, 1, 64),
  };
  read.done();
  return config;
}
