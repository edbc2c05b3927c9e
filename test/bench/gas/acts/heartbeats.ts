import { codeOf, heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import type { Hex } from "viem";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { setNodeCount } from "../../../contracts/support/nodeCount.ts";
import { commitCosigned, disputeOf } from "../../../contracts/support/presence.ts";
import { type Cost, costOf } from "../meter.ts";

const RING_SLOTS = 256;

/** A slot for 10,000 and 100,000 nodes, at 0%, 2% and 20% absent, in the ring entry of an older slot. */
export async function heartbeatActs(market: MarketFixture): Promise<Record<string, Cost>> {
  const costs: Record<string, Cost> = {};
  for (const [name, count] of [
    ["10k", 10_000],
    ["100k", 100_000],
  ] as const) {
    await setNodeCount(market, count);
    for (const percent of [0, 2, 20]) {
      const { firstLap, later } = await commit(market, count, percent);
      costs[`heartbeat-${name}-${percent}`] = later;
      if (name === "10k" && percent === 2) costs["heartbeat-10k-2-first-lap"] = firstLap;
    }
    if (name === "10k") Object.assign(costs, await restore(market, count));
  }
  return costs;
}

async function commit(
  market: MarketFixture,
  count: number,
  percentAbsent: number,
): Promise<Record<"firstLap" | "later", Cost>> {
  const { encoding, bits } = encodeHeartbeats(count, presentOf(count, percentAbsent));
  const { slotSeconds } = market.deployment.parameters;
  // Ten seconds into a slot, the previous one has ended. After 256 slots its ring entry is used again.
  const present = Math.floor((await market.time.latest()) / slotSeconds) + 1;
  const call = async (now: number): Promise<Hex> => {
    await market.time.increaseTo(now * slotSeconds + 10);
    // Above 5% a cosigner agrees.
    if (percentAbsent > 5)
      return commitCosigned(market, BigInt(now - 1), { encoding, nodeCount: count, bits });
    return market.computeNode.write.commitHeartbeats(
      [BigInt(now - 1), codeOf(heartbeatEncodings, encoding), count, bits],
      { account: market.people.committer },
    );
  };
  const firstLap = await costOf(market, [call(present)], count);
  return { firstLap, later: await costOf(market, [call(present + RING_SLOTS)], count) };
}

/** The first slot of a deployment; a dispute that restores a whole slot; and one of a single node. */
async function restore(market: MarketFixture, count: number): Promise<Record<string, Cost>> {
  const { slotSeconds } = market.deployment.parameters;
  const nodeIds = Array.from({ length: count }, (_, place) => place + 1);
  const present = Math.floor((await market.time.latest()) / slotSeconds) + 1;
  await market.time.increaseTo(present * slotSeconds + 10);
  const dispute = async (slot: number, words?: number[]) =>
    market.computeNode.write.disputeHeartbeats([
      [await disputeOf(market, BigInt(slot), { nodeIds, ...(words && { words }) })],
    ]);
  return {
    "dispute-10k": await costOf(market, [dispute(present - 1)], count),
    "dispute-10k-one": await costOf(market, [dispute(present - 2, [7])], 1),
  };
}

/** The present nodes. Absentees are spread by a fixed generator, not evenly. */
function presentOf(count: number, percentAbsent: number): Set<number> {
  const present = new Set<number>();
  let state = 1;
  for (let id = 1; id <= count; id++) {
    // Numerical Recipes' linear congruential generator.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    if (state / 2 ** 32 >= percentAbsent / 100) present.add(id);
  }
  return present;
}
