import type { WholeHistory } from "@ngpu/audit/wholeHistory";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";

/** Kinds of records that the market's logs are recomputed for, in the order of the audit. */
export const recordKinds = ["placement", "receipts", "uptime", "refund", "wave", "epoch"] as const;
export type RecordKind = (typeof recordKinds)[number];

/** A record of the chain, recomputed from the logs before it. */
export type MarketRecord = {
  kind: RecordKind;
  /** The lease, the number of the batch, day, wave or epoch; of a refund the day and the lease. */
  id: string;
  /** The block that has it on the chain. */
  block: bigint;
  /** False: it differs. */
  checks: Record<string, boolean>;
  /** What the chain has and what was recomputed, where it differs. */
  detail: string | undefined;
};

export type MarketHistory = WholeHistory & { deployment: Deployment };

/** Whether a record is one of those to compare. */
export type IsNew = (record: { block: bigint }) => boolean;

/** @param detail Is asked only where a check failed. */
export function recordOf(found: Omit<MarketRecord, "detail">, detail: () => string): MarketRecord {
  const holds = Object.values(found.checks).every(Boolean);
  return { ...found, detail: holds ? undefined : detail() };
}

/** A record that differs, as a line for people. */
export function differenceText({ kind, id, block, checks, detail }: MarketRecord): string {
  const failed = Object.entries(checks).flatMap(([name, passed]) => (passed ? [] : [name]));
  return `Block ${block}: ${kind} ${id} differs in ${failed.join(", ")}. ${detail}`;
}
