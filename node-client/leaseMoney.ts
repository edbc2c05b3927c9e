import { leaseClocks } from "@ngpu/contracts-sdk/enumNames";

/** What escrow says of a lease. */
export type LeaseMoney = {
  rate: bigint;
  /** What is left of what the lease set aside. */
  lock: bigint;
  clock: (typeof leaseClocks)[number];
  /** Since when the clock is unsettled, Unix seconds. */
  since: number;
};

type MoneyEvent =
  | { eventName: "LeaseOpened"; args: { rate: bigint; lock: bigint } }
  | { eventName: "LeaseClockSet"; args: { clock: number; since: number } }
  | { eventName: "Settled"; args: { fromLock: bigint; settledAt: number } }
  | { eventName: "WaitCharged"; args: { amount: bigint } };

/** The lease after an event; undefined where its opening is not known. */
export function afterEvent(
  money: LeaseMoney | undefined,
  { eventName, args }: MoneyEvent,
): LeaseMoney | undefined {
  if (eventName === "LeaseOpened") return { rate: args.rate, lock: args.lock, clock: "new", since: 0 };
  if (money === undefined) return undefined;
  if (eventName === "LeaseClockSet") {
    return { ...money, clock: leaseClocks[args.clock] ?? "closed", since: args.since };
  }
  if (eventName === "WaitCharged") return { ...money, lock: money.lock - args.amount };
  return { ...money, lock: money.lock - args.fromLock, since: args.settledAt };
}

/**
 * Until when the payer pays for keeping a container that it ordered to stop, Unix seconds: 0 before the lease first ran, and while it
 * rests until its lock is spent. A second of rest costs a tenth of the rate, rounded up.
 */
export function keptUntil(money: LeaseMoney | undefined): number {
  if (money?.clock === "new") return 0;
  if (money?.clock !== "resting") return Number.POSITIVE_INFINITY;
  const restRate = (money.rate + 9n) / 10n;
  if (restRate === 0n) return money.since;
  return money.since + Number((money.lock + restRate - 1n) / restRate);
}
