import { setTimeout as delay } from "node:timers/promises";
import type { AnvilMarket } from "../../support/anvilMarket.ts";
import { faultKinds, type ProxyFaults } from "../../support/rpcFaults.ts";
import type { RpcProxy } from "../../support/rpcProxy.ts";

const deepest = 60;
const blockPauseMs = 60;

/** Lets the chain grow and reorganize until told to stop, which leaves a head that nothing follows. */
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
    // A few at once, so that there is a way to catch up; mostly one after the other.
    if (draw < 0.9) await market.mine(draw < 0.03 ? upTo(60) : 1, 6);
    else {
      // By no more than a few blocks as a rule; now and then deep, emptied, or reorganized again at once.
      await reorg(upTo(draw < 0.92 ? deepest : 4), draw > 0.98 ? 0 : 4);
      if (random() < 0.2) await reorg(upTo(deepest / 2), 4);
    }
    await rest(random() * 2 * blockPauseMs, signal);
  }
  await market.mine(1, 6);
  return { minedReorgs };
}

/** Gives each endpoint other faults every second or two; one at least is whole at any time, as in the world. */
export async function misbehave(
  endpoints: readonly RpcProxy[],
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const whole = Math.floor(random() * endpoints.length);
    for (const [index, endpoint] of endpoints.entries()) {
      endpoint.misbehave(index === whole ? {} : someFaults(random));
    }
    await rest(1_000 + random() * 1_000, signal);
  }
}

function someFaults(random: () => number): ProxyFaults {
  const chosen = faultKinds.filter(() => random() < 0.3);
  const faults: ProxyFaults = Object.fromEntries(chosen.map((kind) => [kind, random() * 0.2]));
  // Each costs the client its whole deadline.
  if (faults.timeout !== undefined) faults.timeout *= 0.05;
  return random() < 0.3 ? { ...faults, behind: 1 + Math.floor(random() * 20) } : faults;
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => undefined);
}
