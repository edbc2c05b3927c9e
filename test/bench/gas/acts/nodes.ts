import type { MarketFixture } from "../../../contracts/support/market.ts";
import { keyOf } from "../../../contracts/support/market.ts";
import { nodeSpec, registrationOf, signConsent, signRegistration } from "../../../contracts/support/nodes.ts";
import { type Cost, costOf } from "../meter.ts";

/** Registers 50 nodes in one transaction, each with a wallet of its own that consents. */
async function register(market: MarketFixture, name: string, gpus: number): Promise<Cost> {
  const keys = Array.from({ length: 50 }, (_, place) => keyOf(`${name} ${place}`));
  const messages = await Promise.all(
    keys.map(async (key, place) => {
      const message = registrationOf(key);
      const wallet = keyOf(`wallet of ${name} ${place}`);
      return {
        ...message,
        wallet: wallet.address,
        spec: { ...nodeSpec, total: { ...nodeSpec.total, gpus } },
        gpuUuids: message.gpuUuids.slice(0, gpus),
        consent: await signConsent(market, wallet, key.address),
      };
    }),
  );
  const signatures = await Promise.all(
    keys.map((key, place) => signRegistration(market, key, messages[place] as (typeof messages)[number])),
  );
  return costOf(market, [market.computeNode.write.registerBatch([messages, signatures])], 50);
}

/** A node without a GPU, and one with a GPU, whose UUID is in the log only. */
export async function nodeActs(market: MarketFixture): Promise<Record<string, Cost>> {
  return {
    "register-50": await register(market, "cpu", 0),
    "register-50-gpu": await register(market, "gpu", 1),
  };
}
