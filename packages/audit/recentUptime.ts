import { countPresence, uptimeSlots } from "@ngpu/protocol/presence";
import { type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { presenceOf } from "@ngpu/rewards/logFacts";

/** The events that a node's uptime depends on. */
const presenceEvents = new Set(["HeartbeatsCommitted", "HeartbeatsDisputed", "PresenceChallenged"]);

/** Each node's share of present slots among the newest slots, followed log by log. */
export type RecentUptime = {
  take(log: ChainLog): void;
  /** Permille by node, after the logs so far. */
  now(): ReadonlyMap<number, number>;
};

export function createRecentUptime(): RecentUptime {
  let logs: ChainLog[] = [];
  let newest: number[] = [];
  let counted: ReadonlyMap<number, number> | undefined = new Map();
  return {
    take: (log) => {
      if (!presenceEvents.has(log.name)) return;
      logs.push(log);
      counted = undefined;
      if (log.name !== "HeartbeatsCommitted") return;
      newest = [...newest, number(log.args.slot)].sort((a, b) => b - a).slice(0, uptimeSlots);
      const least = newest.at(-1) ?? 0;
      // What is older than the newest slots counts for nothing any more: a later slot never makes one of them newer.
      if (newest.length === uptimeSlots) logs = logs.filter((one) => lastSlotOf(one) >= least);
    },
    now: () => {
      counted ??= permilleOf(logs, newest);
      return counted;
    },
  };
}

const lastSlotOf = ({ name, args }: ChainLog) =>
  number(name === "PresenceChallenged" ? args.lastSlot : args.slot);

function permilleOf(logs: readonly ChainLog[], newest: readonly number[]): Map<number, number> {
  if (newest.length === 0) return new Map();
  const range = { firstSlot: Math.min(...newest), endSlot: Math.max(...newest) + 1 };
  const counts = countPresence(presenceOf(logs, logs.at(-1)?.block ?? 0n, range));
  return new Map(
    Array.from(counts, ([nodeId, { presentSlots, totalSlots }]) => [
      nodeId,
      Math.floor((presentSlots * 1_000) / totalSlots),
    ]),
  );
}
