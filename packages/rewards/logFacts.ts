import { nodesOfWord } from "@ngpu/protocol/heartbeatWords";
import type { PresenceFacts } from "@ngpu/protocol/presence";
import type { WaveOutcome } from "@ngpu/waves/history";
import { proofsOf } from "@ngpu/waves/proofs";
import { nodesThatServed } from "./bonds.ts";
import { by, type ChainLog, heartbeatsOf, number, type rewardEvents, text } from "./chainLogs.ts";
import type { EpochFacts } from "./close.ts";
import type { BlockRef } from "./document.ts";
import { type EpochWindow, finalDays, type Periods, slotsOfDay, slotsOfEpoch } from "./epochs.ts";
import { measurerResultsOf, reachedNodes } from "./measureLogs.ts";
import { leasesOf } from "./moneyLogs.ts";
import { historiesOf, nodesOf } from "./nodeLogs.ts";
import type { RewardTerms } from "./terms.ts";

export type MarketPeriods = Periods & {
  slotSeconds: number;
  daySeconds: number;
  refundDays: number;
  heartbeatWindowSeconds: number;
  feeBasisPoints: number;
};

/** Presence of the slots from `firstSlot` to before `endSlot`, as of a block. */
export function presenceOf(
  logs: readonly ChainLog[],
  upTo: bigint,
  { firstSlot, endSlot }: { firstSlot: number; endSlot: number },
): PresenceFacts {
  const within = (slot: number) => slot >= firstSlot && slot < endSlot;
  const known = logs.filter(by(upTo));
  const named = (name: string) => known.filter((log) => log.name === name);
  return {
    firstSlot,
    endSlot,
    slots: named("HeartbeatsCommitted")
      .map(heartbeatsOf)
      .filter(({ slot }) => within(slot))
      .sort((a, b) => a.slot - b.slot),
    disputes: named("HeartbeatsDisputed")
      .filter(({ args }) => within(number(args.slot)))
      .flatMap(({ args }) =>
        nodesOfWord({ index: number(args.word), bits: text(args.bits) as `0x${string}` }).map((nodeId) => ({
          slot: number(args.slot),
          nodeId,
        })),
      ),
    challenges: named("PresenceChallenged")
      .map(({ args }) => ({
        nodeId: number(args.nodeId),
        firstSlot: number(args.firstSlot),
        lastSlot: number(args.lastSlot),
      }))
      .filter((one) => one.lastSlot >= firstSlot && one.firstSlot < endSlot),
  };
}

/** Logs in the chain's order, by contract, as rewards need them. */
export type RewardLogs = Record<keyof typeof rewardEvents, readonly ChainLog[]>;

export function sortLogs(logs: readonly ChainLog[]): RewardLogs {
  const sorted = [...logs].sort((a, b) =>
    a.block === b.block ? a.logIndex - b.logIndex : a.block < b.block ? -1 : 1,
  );
  const of = (contract: keyof typeof rewardEvents) => sorted.filter((log) => log.contract === contract);
  return { ComputeNode: of("ComputeNode"), Measure: of("Measure"), Escrow: of("Escrow"), Pomc: of("Pomc") };
}

/**
 * What the logs say about an epoch: the same facts that pomc reads from the exported chain.
 *
 * @param options.firstTime Time of the first block of the market.
 * @param options.blockBefore The last block before a time, of those used: the end of a settlement or of a day's evidence.
 */
export function factsOfLogs(
  logs: RewardLogs,
  options: {
    window: EpochWindow;
    periods: MarketPeriods;
    terms: RewardTerms;
    throughDay: number | null;
    firstTime: number;
    asOf: BlockRef;
    /** Every wave that the chain has judged, oldest first. */
    waves: readonly WaveOutcome[];
    /** The last block of the previous epoch's settlement; 0 without one. */
    after: bigint;
    blockBefore: (time: number) => bigint;
  },
): EpochFacts {
  const { window, periods, terms, asOf, after } = options;
  const { slotSeconds } = periods;
  const blocks = { after, upTo: asOf.block };
  const slots = slotsOfEpoch(window, slotSeconds);
  const nodes = historiesOf(
    nodesOf(logs.ComputeNode, asOf.block),
    {
      reached: reachedNodes(logs.Measure, asOf.block, window.startsAt),
      proofs: proofsOf(options.waves.filter(({ blocks: { revealed } }) => BigInt(revealed) <= asOf.block)),
    },
    { from: slots.firstSlot * slotSeconds, to: slots.endSlot * slotSeconds },
  );
  const accounts = new Map(nodes.map(({ nodeId, account }) => [nodeId, account]));
  return {
    asOf,
    terms,
    slotSeconds,
    nodes,
    presence: presenceOf(logs.ComputeNode, asOf.block, slots),
    results: measurerResultsOf(logs.Measure, blocks),
    leases: leasesOf([...logs.Escrow, ...logs.Pomc], accounts, blocks, periods),
    days: servedDays(logs, options),
  };
}

function servedDays(
  logs: RewardLogs,
  { window, periods, terms, throughDay, firstTime, blockBefore }: Parameters<typeof factsOfLogs>[1],
): EpochFacts["days"] {
  const after = throughDay ?? Math.floor(firstTime / periods.daySeconds) - 1;
  const days = finalDays(window.settledAt, after, periods);
  const served = new Map<number, number>();
  for (const day of days) {
    const upTo = blockBefore((day + 1) * periods.daySeconds + periods.heartbeatWindowSeconds);
    const facts = presenceOf(logs.ComputeNode, upTo, slotsOfDay(day, periods));
    for (const nodeId of nodesThatServed(facts, { uptimePermille: terms.bondUptimePermille })) {
      served.set(nodeId, (served.get(nodeId) ?? 0) + 1);
    }
  }
  return {
    throughDay: days.at(-1) ?? throughDay,
    served: [...served]
      .map(([nodeId, count]) => ({ nodeId, days: count }))
      .sort((a, b) => a.nodeId - b.nodeId),
  };
}
