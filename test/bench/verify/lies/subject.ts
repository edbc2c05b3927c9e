import type { AuditedDay } from "@ngpu/audit/dayAudit";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import type { JudgedWave } from "@ngpu/waves/history";
import type { MarketHistory, MarketRecord, RecordKind } from "../../../../cli/audit/record.ts";

/** What lies are planted in: an honest day, and what an auditor keeps of it. */
export type Subject = {
  history: MarketHistory;
  waves: readonly JudgedWave[];
  day: AuditedDay;
  random: () => number;
};

/** A planted lie: one field of one log, or of what a root states, is another. */
export type Planted = {
  field: string;
  /** The record that must be named. */
  kind: RecordKind;
  id: string;
  /** What the audit says of it. */
  record: MarketRecord;
};

/** Whether the audit found a lie, and named its record. */
export function isNamed({ kind, id, record }: Planted): boolean {
  return record.detail !== undefined && record.kind === kind && record.id === id;
}

export function pick<Item>({ random }: Pick<Subject, "random">, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

/** A whole number from `least` to `most`. */
export function between({ random }: Pick<Subject, "random">, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** A log with other arguments. */
export function changed(log: ChainLog, args: Record<string, unknown>): ChainLog {
  return { ...log, args: { ...log.args, ...args } };
}

export const named = ({ history }: Subject, name: string) => history.logs.filter((log) => log.name === name);
