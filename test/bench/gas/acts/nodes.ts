import type { MarketFixture } from "../../../contracts/support/market.ts";
import { keyOf } from "../../../contracts/support/market.ts";
import { nodeSpec, registrationOf, signRegistration } from "../../../contracts/support/nodes.ts";
import { type Cost, costOf } from "../meter.ts";

/** Registers 50 nodes with their wallets in one transaction. */
async function register(market: MarketFixture, name: string, gpus: number): Promise<Cost> {
  const keys = Array.from({ length: 50 }, (_, place) => keyOf(`${name} ${place}`));
  const messages = keys.map((key) => {
    const message = { ...registrationOf(key), wallet: keyOf(`wallet of ${name}`).address };
    return {
      ...message,
      spec: { ...nodeSpec, total: { ...nodeSpec.total, gpus } },
      gpuUuids: message.gpuUuids.slice(0, gpus),
    };
  });
  const signatures = await Promise.all(
    keys.map((key, place) => signRegistration(market, key, messages[place] as (typeof messages)[number])),
  );
  return costOf(market, [market.computeNode.write.registerBatch([messages, signatures])], 50);
}

/**
 * A node without a GPU, with the three slots that every node has, and one with a GPU, whose UUID takes a fourth slot.
 */
export async function nodeActs(market: MarketFixture): Promise<Record<string, Cost>> {
  return {
    "register-50": await register(market, "cpu", 0),
    "register-50-gpu": await register(market, "gpu", 1),
  };
}
