import { type LeaseDowntime, type UptimeLeaf, uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import type { Hex } from "viem";
import type { MarketFixture } from "./market.ts";

/** The day (of the deployment's length) that the chain's time is in. */
export async function today({ time, deployment }: MarketFixture): Promise<bigint> {
  return BigInt(Math.floor((await time.latest()) / deployment.parameters.daySeconds));
}

/** Advances to a day, `seconds` into it. */
export async function goToDay(market: MarketFixture, day: bigint, seconds = 0): Promise<void> {
  const to = Number(day) * market.deployment.parameters.daySeconds + seconds;
  if ((await market.time.latest()) < to) await market.time.increaseTo(to);
}

/**
 * Commits the root over the leases' downtime of a day and waits until it is active; returns the arguments of refundDowntime.
 * The day has ended then.
 */
export async function commitDowntime(market: MarketFixture, day: bigint, items: LeaseDowntime[]) {
  const { heartbeatWindowSeconds, uptimeDelay } = market.deployment.parameters;
  const leaves = items.map((item): UptimeLeaf => ({ kind: "lease", ...item }));
  const tree = uptimeTreeOf(leaves);
  await goToDay(market, day + 1n, heartbeatWindowSeconds);
  await market.computeNode.write.commitUptime([day, tree.root], { account: market.people.poster });
  await market.time.increase(uptimeDelay);
  const proofs: Hex[][] = items.map((_, index) => tree.proofOf(index));
  return { items, proofs };
}
