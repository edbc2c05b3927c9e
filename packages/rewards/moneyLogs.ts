import { amount, by, type ChainLog, number, text } from "./chainLogs.ts";
import { type HoldPeriods, maturedDay } from "./matured.ts";
import type { LeaseFacts, LeaseSums } from "./tasks.ts";

type Periods = HoldPeriods & { feeBasisPoints: number };
type Blocks = { after: bigint; upTo: bigint };

const keyOf = ({ workspaceId, replica, lease }: Record<string, unknown>) =>
  `${workspaceId}/${replica}/${lease}`;

/** Totals by lease in a batch of receipts: | nodeId 32 | workspaceId 64 | replica 16 | lease 32 | - 16 | amount 96 | each. */
function receiptsOf(log: ChainLog): { key: string; amount: bigint }[] {
  return (log.args.leaseTotals as string[]).map((word) => {
    const value = BigInt(word);
    const field = (shift: bigint, bits: bigint) => (value >> shift) & (2n ** bits - 1n);
    return { key: `${field(160n, 64n)}/${field(144n, 16n)}/${field(112n, 32n)}`, amount: field(0n, 96n) };
  });
}

/** A log as it changes the sums of a lease. */
type Entry = { log: ChainLog; amount: bigint };

/** What a lease had paid, and the receipts for it, by the end of a day, as the logs up to `asOf` state. */
function sumsBy(own: readonly Entry[], day: number, asOf: bigint, daySeconds: number): LeaseSums {
  const sums = { paid: 0n, receipts: 0n };
  for (const { log, amount: part } of own) {
    if (log.block > asOf) continue;
    const isBefore = log.time < (day + 1) * daySeconds;
    if (log.name === "Settled" && isBefore) sums.paid += part;
    if (log.name === "Refunded" && number(log.args.day) <= day) sums.paid -= part;
    if (log.name === "ReceiptsCommitted" && isBefore) sums.receipts += part;
  }
  return sums;
}

/** The entries of each lease. A batch of receipts is read once for all of its leases. */
function byLease(logs: readonly ChainLog[]): Map<string, Entry[]> {
  const leases = new Map<string, Entry[]>();
  const add = (key: string, entry: Entry) => {
    const own = leases.get(key);
    if (own === undefined) leases.set(key, [entry]);
    else own.push(entry);
  };
  for (const log of logs) {
    if (log.name === "Settled" || log.name === "Refunded")
      add(keyOf(log.args), { log, amount: amount(log.args.amount) });
    if (log.name !== "ReceiptsCommitted") continue;
    for (const one of receiptsOf(log)) add(one.key, { log, amount: one.amount });
  }
  return leases;
}

/**
 * The leases of nodes that were paid out in blocks after `after`, up to `upTo`. A payout burns the fee of every day that had
 * matured.
 */
export function leasesOf(
  logs: readonly ChainLog[],
  accounts: ReadonlyMap<number, string>,
  { after, upTo }: Blocks,
  periods: Periods,
): LeaseFacts[] {
  const { daySeconds, feeBasisPoints } = periods;
  const collected = Map.groupBy(
    logs.filter(({ name }) => name === "Collected").filter(by(upTo)),
    ({ generation, args }) => `${generation}/${args.nodeId}`,
  );
  const lastDay = (own: readonly ChainLog[]) => {
    const time = own.reduce((latest, log) => Math.max(latest, log.time), -1);
    return time < 0 ? -1 : maturedDay(time, periods);
  };
  const owners = new Map(
    logs
      .filter(({ name }) => name === "Authorized")
      .map(({ args }) => [text(args.authorizationId), text(args.owner)]),
  );
  const books = byLease(logs);
  const opened = logs.filter(({ name }) => name === "LeaseOpened").filter(by(upTo));
  return opened
    .flatMap(({ args, generation }): LeaseFacts[] => {
      const nodeId = number(args.nodeId);
      const payouts = collected.get(`${generation}/${nodeId}`) ?? [];
      const now = lastDay(payouts);
      const earlier = lastDay(payouts.filter(by(after)));
      const [node, payer] = [accounts.get(nodeId), owners.get(text(args.authorizationId))];
      if (now <= earlier || node === undefined || payer === undefined) return [];
      const own = books.get(keyOf(args)) ?? [];
      const sums = sumsBy(own, now, upTo, daySeconds);
      if (sums.paid <= 0n) return [];
      const before = sumsBy(own, earlier, after, daySeconds);
      return [
        {
          workspaceId: amount(args.workspaceId),
          replica: number(args.replica),
          lease: number(args.lease),
          nodeId,
          node,
          payer,
          feeBasisPoints,
          before,
          now: sums,
        },
      ];
    })
    .sort(byId);
}

function byId(a: LeaseFacts, b: LeaseFacts): number {
  if (a.workspaceId !== b.workspaceId) return a.workspaceId < b.workspaceId ? -1 : 1;
  return a.replica - b.replica || a.lease - b.lease;
}
