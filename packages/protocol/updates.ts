import { createHash } from "node:crypto";
import { z } from "zod";

/** A release's version: three numbers, so that any two can be compared. */
export const releaseVersion = z
  .string()
  .regex(/^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/, "is not a version such as 1.4.0");

const region = z.string().regex(/^[A-Z]{2}$/, "is not an ISO 3166-1 alpha-2 code such as DE");

/** Which clients install which release. The market's `config` service signs it, and can only name releases that exist. */
export const rollout = z
  .strictObject({
    release: releaseVersion,
    /** Share of the clients that install it. A client that is in 5 percent is also in 50. */
    percent: z.number().min(0).max(100),
    /** Countries of the clients that install it; null: all, also clients without a country. */
    regions: z.array(region).min(1).max(250).nullable(),
    /** Why no client starts this update now; null: it goes on. */
    paused: z.string().min(1).max(500).nullable(),
  })
  .meta({ id: "Rollout" });

export type Rollout = z.infer<typeof rollout>;

const urls = z
  .array(z.url({ protocol: /^(https?|wss?)$/ }).max(500))
  .min(1)
  .max(20);

/** Settings of all clients of a market, signed offline. What is absent keeps the client's own value. */
export const clientConfig = z.strictObject({
  version: z.int().min(1),
  /** They replace those of the API's `/v1/network`. */
  endpoints: z.strictObject({ rpcUrls: urls, matchUrls: urls, gatewayUrls: urls }).partial().default({}),
  /** They only lower the operator's own limits. */
  limits: z
    .strictObject({ prefetchGib: z.int().min(0).max(100_000) })
    .partial()
    .default({}),
  /** `false` switches a function off. */
  switches: z.strictObject({ prefetch: z.boolean(), updates: z.boolean() }).partial().default({}),
});

export type ClientConfig = z.infer<typeof clientConfig>;

/** Names of the files that are signed, relative to the directory of the client's releases. */
export const targetPaths = {
  rollout: "rollout.json",
  clientConfig: "client-config.json",
  archive: (release: string, platform: string) => `${release}/ngpu-client-${platform}.tar.gz`,
};

/** The role that signs the rollout alone. */
export const rolloutRole = "rollout";

/** Negative when `a` is older than `b`, 0 when both are the same version. */
export function compareReleases(a: string, b: string): number {
  const numbers = (text: string) => releaseVersion.parse(text).split(".").map(Number);
  const other = numbers(b);
  return (
    numbers(a)
      .map((number, place) => number - (other[place] as number))
      .find((difference) => difference !== 0) ?? 0
  );
}

/**
 * Where a client is in the order in which a release is installed: from 0 up to 100, the same each time, and evenly
 * distributed over the clients. Each release has another order, so that no client is always the first.
 */
export function placeInRollout(address: string, release: string): number {
  const hash = createHash("sha256").update(`ngpu rollout ${release} ${address.toLowerCase()}`).digest();
  return (hash.readUIntBE(0, 6) / 2 ** 48) * 100;
}

/** Why a client installs no release. */
export type NoUpdate = "current" | "older" | "paused" | "other_region" | "not_yet" | "failed_before";

/**
 * Decides whether a client installs the release of a rollout. Pure.
 *
 * @param client.installed Version that runs.
 * @param client.failed Versions that did not become healthy on this machine.
 * @param client.region Country of the machine, where its operator set one.
 */
export function decideUpdate(
  { release, percent, regions, paused }: Rollout,
  client: { installed: string; failed: readonly string[]; address: string; region: string | undefined },
): { install: string } | { install?: undefined; because: NoUpdate } {
  const order = compareReleases(release, client.installed);
  if (order <= 0) return { because: order === 0 ? "current" : "older" };
  if (client.failed.includes(release)) return { because: "failed_before" };
  if (paused !== null) return { because: "paused" };
  if (regions !== null && !(client.region !== undefined && regions.includes(client.region)))
    return { because: "other_region" };
  return placeInRollout(client.address, release) < percent ? { install: release } : { because: "not_yet" };
}
