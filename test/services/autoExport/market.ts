import { concat, type Hex, toHex } from "viem";
import { eventLog, type ScriptedLog } from "../../packages/chain-reader/scriptedChain.ts";
import { word } from "./fixtures.ts";
import { leaseActs, ownerActs } from "./marketLeases.ts";
import { measureActs, nodeActs, waveActs } from "./marketNodes.ts";
import {
  type Act,
  account,
  anyGeneration,
  emptyMarket,
  logOf,
  type Market,
  type UpTo,
} from "./marketState.ts";

/**
 * Generates the events of consecutive blocks as the contracts could emit them. State is kept for each block, so that a fork
 * continues from the state of its own parent.
 */
export function createMarket(random: () => number) {
  const states = new Map<Hex, Market>();
  const upTo: UpTo = (limit) => Math.floor(random() * limit);

  return {
    /** @returns The logs of the next block, and a function to call with its hash. */
    next(parent: Hex, acts: number): { logs: ScriptedLog[]; settle: (hash: Hex) => void } {
      const state = structuredClone(states.get(parent) ?? emptyMarket());
      const logs = Array.from({ length: acts }, () => act(state, upTo)).flat();
      return { logs, settle: (hash) => states.set(hash, state) };
    },
  };
}

function act(state: Market, upTo: UpTo): ScriptedLog[] {
  const all = [nodeActs, ownerActs, leaseActs, leaseActs, measureActs, waveActs, rewardActs];
  return (all[upTo(all.length)] as Act)(state, upTo);
}

const rewardActs: Act = (state, upTo) => {
  const generation = anyGeneration(upTo);
  const own = state.generations[generation];
  const choice = upTo(4);
  if (choice === 0) {
    return [eventLog("ComputeNode", "ItemRefused", { index: BigInt(upTo(9)), reason: word(upTo(255), 4) })];
  }
  if (choice === 1)
    return [
      eventLog("Escrow", "Deposited", { account: account(1), from: account(1), amount: 1n }, account(77)),
    ];
  if (own.epochs === 0n || choice === 2) {
    own.epochs += 1n;
    return [
      logOf(generation, "Pomc", "EpochPosted", {
        number: own.epochs,
        root: toHex(upTo(1e9), { size: 20 }),
        total: own.epochs * 10n ** 24n,
        dataHash: word(upTo(1e9)),
        activatesAt: 1_700_000_000,
      }),
    ];
  }
  const number = BigInt(1 + upTo(Number(own.epochs)));
  const to = account(upTo(4));
  const cumulative = BigInt(own.claimed[to] ?? 0) + BigInt(upTo(1e6));
  own.claimed[to] = cumulative.toString();
  if (upTo(2) === 0) return [logOf(generation, "Pomc", "Claimed", { account: to, cumulative })];
  const grants = concat([to, toHex(cumulative, { size: 12 })]);
  return [logOf(generation, "Pomc", "ClaimedMany", { number, grants })];
};
