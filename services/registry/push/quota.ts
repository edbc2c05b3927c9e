import { statfs } from "node:fs/promises";
import type { PushDeps } from "./deps.ts";
import { PushRefusal } from "./refusal.ts";
import { storedBytes } from "./store/images.ts";

/** Counts what accounts upload at this moment, which Postgres does not know yet. */
export type InFlight = Map<string, number>;

/**
 * What an account may still store.
 *
 * @param more Bytes that are about to come, where that is known.
 * @returns Counts received bytes; throws PushRefusal once they are above the quota.
 * @throws PushRefusal 403 DENIED above the quota, 503 UNAVAILABLE when the registry's disk is full.
 */
export async function openAllowance(
  deps: PushDeps,
  inFlight: InFlight,
  { account, more }: { account: string; more: number },
): Promise<{ take(bytes: number): void; end(): void }> {
  await requireDisk(deps, more);
  const stored = Number(await storedBytes(deps.db, account));
  const used = () => stored + (inFlight.get(account) ?? 0);
  if (used() + more > deps.quotaBytes) throw aboveQuota(deps, account);
  let taken = 0;
  const add = (bytes: number) => inFlight.set(account, (inFlight.get(account) ?? 0) + bytes);
  return {
    take: (bytes) => {
      taken += bytes;
      add(bytes);
      if (used() > deps.quotaBytes) throw aboveQuota(deps, account);
    },
    end: () => {
      add(-taken);
      if (inFlight.get(account) === 0) inFlight.delete(account);
    },
  };
}

export function aboveQuota({ quotaBytes }: Pick<PushDeps, "quotaBytes">, account: string): PushRefusal {
  return new PushRefusal(403, {
    code: "DENIED",
    message: `${account} may store ${(quotaBytes / 2 ** 30).toFixed(1)} GiB`,
    hint: "delete images that you no longer need: DELETE /v2/<name>/manifests/<digest>",
  });
}

/** @throws PushRefusal 503 UNAVAILABLE */
async function requireDisk({ storeDir, reserveBytes }: PushDeps, more: number): Promise<void> {
  const { bavail, bsize } = await statfs(storeDir);
  if (bavail * bsize - more >= reserveBytes) return;
  throw new PushRefusal(503, {
    code: "UNAVAILABLE",
    message: "the registry's disk is full",
    hint: "try again later, or tell the market",
  });
}
