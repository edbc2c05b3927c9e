import { type Hex, numberToHex } from "viem";
import type { MarketFixture } from "./market.ts";

/** Storage slots in which the counter is looked for: the ring's, and those beside it. */
const searched = 288;

/** Sets the counter in storage, because so many registrations would take hours. */
export async function setNodeCount(
  { client, computeNode, connection }: MarketFixture,
  count: number,
): Promise<void> {
  const { address } = computeNode;
  const set = (slot: Hex, word: Hex) =>
    connection.provider.request({ method: "hardhat_setStorageAt", params: [address, slot, word] });
  for (let place = 0; place < searched; place++) {
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
