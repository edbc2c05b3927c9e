import { setTimeout as delay } from "node:timers/promises";
import type { AnvilMarket } from "../../support/anvilMarket.ts";
import { faultKinds, type ProxyFaults } from "../../support/rpcFaults.ts";
import type { RpcProxy } from "../../support/rpcProxy.ts";

const deepest = 60;
const blockPauseMs = 60;

/** Mines and reorganizes the chain until the signal is aborted, then mines one last block. */
export async function grow(
  market: AnvilMarket,
  random: () => number,
  signal: AbortSignal,
): Promise<{ minedReorgs: { count: number; deepest: number } }> {
  const upTo = (limit: number) => 1 + Math.floor(random() * limit);
  const minedReorgs = { count: 0, deepest: 0 };
  const reorg = async (depth: number, acts: number) => {
    const possible = Math.min(depth, Number((await market.head()).number) - 2);
    if (possible < 1) return;
    await market.reorg(possible, acts);
    minedReorgs.count += 1;
    minedReorgs.deepest = Math.max(minedReorgs.deepest, possible);
  };
  while (!signal.aborted) {
    const draw = random();
    // Mostly single blocks; sometimes many, so that the exporter has to catch up.
    if (draw < 0.9) await market.mine(draw < 0.03 ? upTo(60) : 1, 6);
    else {
      // Mostly by a few blocks; sometimes deep, with empty blocks, or followed by another reorg immediately.
      await reorg(upTo(draw < 0.92 ? deepest : 4), draw > 0.98 ? 0 : 4);
      if (random() < 0.2) await reorg(upTo(deepest / 2), 4);
    }
    await rest(random() * 2 * blockPauseMs, signal);
  }
  await market.mine(1, 6);
  return { minedReorgs };
}

/** Changes the faults of each endpoint every one to two seconds. At least one endpoint has none at any time. */
export async function misbehave(
  endpoints: readonly RpcProxy[],
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const healthy = Math.floor(random() * endpoints.length);
    for (const [index, endpoint] of endpoints.entries()) {
      endpoint.misbehave(index === healthy ? {} : randomFaults(random));
    }
    await rest(1_000 + random() * 1_000, signal);
  }
}

function randomFaults(random: () => number): ProxyFaults {
  const chosen = faultKinds.filter(() => random() < 0.3);
  const faults: ProxyFaults = Object.fromEntries(chosen.map((kind) => [kind, random() * 0.2]));
  // Each one costs the client its full deadline.
  if (faults.timeout !== undefined) faults.timeout *= 0.05;
  return random() < 0.3 ? { ...faults, behind: 1 + Math.floor(random() * 20) } : faults;
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => undefined);
}
