import { type AuditedDay, auditDayOfLogs, falseLeaf, settledAt } from "@ngpu/audit/dayAudit";
import { amount } from "@ngpu/rewards/chainLogs";
import { checkRefunds, leaseKey } from "@ngpu/rewards/uptimeLogs";
import { type IsNew, type MarketHistory, type MarketRecord, recordOf } from "./record.ts";
import { refundLieText } from "./verifyRefund.ts";
import { uptimeLieText } from "./verifySla.ts";

/** The uptime roots and the refunds of days. */
export async function* dayRecords(history: MarketHistory, isNew: IsNew): AsyncGenerator<MarketRecord> {
  const { logs, clock, upTo } = history;
  const { parameters } = history.deployment;
  const named = logs.filter(({ name }) => name === "UptimeCommitted" || name === "Refunded").filter(isNew);
  const numbers = [...new Set(named.map(({ args }) => amount(args.day)))].sort((a, b) => (a < b ? -1 : 1));
  const now = await clock.timeOf(upTo);
  for (const day of numbers) {
    const audited = await auditDayOfLogs(logs, { day, clock, parameters });
    const { posted } = audited;
    if (posted !== null && isNew(posted)) {
      // The evidence of a day that is not over is not complete: nothing of it can be true.
      yield uptimeRecord(audited, posted, now >= settledAt(day, parameters));
    }
    for (const record of refundRecords(history, audited)) if (isNew(record)) yield record;
  }
}

/** The record of a day's root. @param over Whether the evidence of the day was complete. */
export function uptimeRecord(
  audited: AuditedDay,
  { root, block }: NonNullable<AuditedDay["posted"]>,
  over: boolean,
): MarketRecord {
  const { day, tree, leaves } = audited;
  const checks = { over, root: tree?.root === root };
  return recordOf({ kind: "uptime", id: String(day), block, checks }, () => {
    const lie = falseLeaf(audited, root);
    return lie === undefined
      ? `The chain has root ${root}; recomputed is ${tree?.root ?? "none"}, of ${leaves.length} leaves.`
      : uptimeLieText(lie);
  });
}

const refundChecks = ["downSeconds", "amount", "owner", "once"] as const;

/** The records of a day's refunds. @param logs Of the leases that are refunded at least. */
export function refundRecords(
  { logs }: Pick<MarketHistory, "logs">,
  { day, leaves }: Pick<AuditedDay, "day" | "leaves">,
): MarketRecord[] {
  const downtime = leaves.filter((leaf) => leaf.kind === "lease");
  const paid = logs.filter(({ name, args }) => name === "Refunded" && amount(args.day) === day);
  return checkRefunds(logs, day, downtime).map((refund, place) => {
    const checks = Object.fromEntries(refundChecks.map((name) => [name, !refund.failed.includes(name)]));
    const id = `${day} ${leaseKey(refund)}`;
    return recordOf({ kind: "refund", id, block: paid[place]?.block ?? 0n, checks }, () =>
      refundLieText(refund),
    );
  });
}
