import { createBatchFollower } from "@ngpu/audit/receiptTotals";
import { amount, type ChainLog } from "@ngpu/rewards/chainLogs";
import { type Hex, toHex } from "viem";
import { batchRecord } from "../../../../cli/audit/marketRecords.ts";
import { between, changed, named, type Planted, pick, type Subject } from "./subject.ts";

type Change = (log: ChainLog) => Record<string, unknown>;

/** Batches of receipts of which the poster states one field otherwise. */
export function* receiptLies(subject: Subject, count: number): Generator<Planted> {
  const changes = Object.entries(changesIn(subject));
  const lies = Map.groupBy(
    Array.from({ length: count }, (_, place) => ({
      batch: pick(subject, named(subject, "ReceiptsCommitted")),
      change: changes[place % changes.length] as [string, Change],
    })),
    ({ batch }) => batch,
  );
  const follower = createBatchFollower();
  for (const log of subject.history.logs) {
    for (const {
      change: [field, change],
    } of lies.get(log) ?? []) {
      const lie = changed(log, change(log));
      yield {
        field,
        kind: "receipts",
        id: String(lie.args.number),
        record: batchRecord(follower.judge(lie)),
      };
    }
    follower.take(log);
  }
}

function changesIn(subject: Subject): Record<string, Change> {
  const more = () => BigInt(between(subject, 1, 1_000_000));
  // Of a total: the bits of its lease or account, or the amount.
  const inWord = (name: "leaseTotals" | "payerTotals", bit: () => bigint): Change => {
    return ({ args }) => {
      const words = args[name] as Hex[];
      const place = between(subject, 0, words.length - 1);
      return { [name]: words.with(place, toHex(BigInt(words[place] as Hex) ^ bit(), { size: 32 })) };
    };
  };
  const oneOf = (least: number, most: number) => () => 1n << BigInt(between(subject, least, most));
  return {
    number: ({ args }) => ({ number: amount(args.number) + more() }),
    total: ({ args }) => ({ total: amount(args.total) + more() }),
    "leaseTotals.nodeId": inWord("leaseTotals", oneOf(224, 255)),
    "leaseTotals.workspaceId": inWord("leaseTotals", oneOf(160, 223)),
    "leaseTotals.amount": inWord("leaseTotals", oneOf(0, 80)),
    "payerTotals.account": inWord("payerTotals", oneOf(96, 255)),
    "payerTotals.amount": inWord("payerTotals", oneOf(0, 80)),
  };
}
