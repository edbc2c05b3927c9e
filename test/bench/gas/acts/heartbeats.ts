import { codeOf, heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { type Hex, numberToHex } from "viem";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { type Cost, costOf } from "../meter.ts";

const RING_SLOTS = 4096;

/** A slot for 10,000 and 100,000 nodes, at 0%, 2% and 20% absent, in the ring entry of an older slot. */
export async function heartbeatActs(market: MarketFixture): Promise<Record<string, Cost>> {
  const costs: Record<string, Cost> = {};
  for (const [name, count] of [
    ["10k", 10_000],
    ["100k", 100_000],
  ] as const) {
    await setNodeCount(market, count);
    for (const percent of [0, 2, 20])
      costs[`heartbeat-${name}-${percent}`] = await commit(market, count, percent);
  }
  return costs;
}

async function commit(market: MarketFixture, count: number, percentAbsent: number): Promise<Cost> {
  const { encoding, bits } = encodeHeartbeats(count, presentOf(count, percentAbsent));
  const { slotSeconds } = market.deployment.parameters;
  // Ten seconds into a slot, the previous one has ended. After 4,096 slots its ring entry is used again.
  const present = Math.floor((await market.time.latest()) / slotSeconds) + 1;
  const call = async (now: number): Promise<Hex> => {
    await market.time.increaseTo(now * slotSeconds + 10);
    return market.computeNode.write.commitHeartbeats(
      [BigInt(now - 1), codeOf(heartbeatEncodings, encoding), count, bits],
      { account: market.people.committer },
    );
  };
  await call(present);
  return costOf(market, [call(present + RING_SLOTS)], count);
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

/** Sets the counter in storage, because so many registrations would take hours. */
async function setNodeCount(
  { client, computeNode, connection }: MarketFixture,
  count: number,
): Promise<void> {
  const { address } = computeNode;
  const set = (slot: Hex, word: Hex) =>
    connection.provider.request({ method: "hardhat_setStorageAt", params: [address, slot, word] });
  for (let place = 0; place < RING_SLOTS + 32; place++) {
    const slot = `0x${place.toString(16)}` as Hex;
    const before = numberToHex(BigInt((await client.getStorageAt({ address, slot })) ?? 0), { size: 32 });
    // | - 192 | nodeCount 32 | paused 32 |
    await set(
      slot,
      `0x${before.slice(2, -16)}${numberToHex(count, { size: 4 }).slice(2)}${before.slice(-8)}`,
    );
    if ((await computeNode.read.nodeCount()) === count) return;
    await set(slot, before);
  }
  throw new Error("The node count was not found in storage.");
}
