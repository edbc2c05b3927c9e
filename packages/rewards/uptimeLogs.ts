import { amount, by, type ChainLog, number } from "./chainLogs.ts";
import { slotsOfDay } from "./epochs.ts";
import { presenceOf } from "./logFacts.ts";
import type { DayFacts } from "./uptime.ts";

/** The events that the uptime and the refunds of a day depend on, by contract. */
export const uptimeEvents = {
  ComputeNode: [
    "HeartbeatsCommitted",
    "HeartbeatsDisputed",
    "PresenceChallenged",
    "UptimeCommitted",
    "UptimeDisabled",
  ],
  Escrow: ["Authorized", "AuthorizationRevoked", "LeaseOpened", "LeaseClockSet", "LeaseClosed", "Refunded"],
} as const;

type DayPeriods = { daySeconds: number; slotSeconds: number };
type Run = DayFacts["runs"][number];

/** The clocks at which an account owes a lease's rate: see Leases.sol. */
const charged = new Set([2, 4, 6]);

export const leaseKey = ({ workspaceId, replica, lease }: Record<string, unknown>) =>
  `${workspaceId}/${replica}/${lease}`;

/** What the logs up to a block say about a day: the same facts that pomc reads from the exported chain. */
export function dayFactsOfLogs(
  logs: readonly ChainLog[],
  { day, upTo, periods }: { day: bigint; upTo: bigint; periods: DayPeriods },
): DayFacts {
  const known = logs.filter(by(upTo));
  const { slots, disputes, challenges } = presenceOf(known, upTo, slotsOfDay(Number(day), periods));
  return { day, ...periods, slots, disputes, challenges, runs: runsOf(known, day, periods.daySeconds) };
}

/** The periods of a day in which leases ran and were paid for. */
function runsOf(logs: readonly ChainLog[], day: bigint, daySeconds: number): Run[] {
  const [begin, end] = [Number(day) * daySeconds, (Number(day) + 1) * daySeconds];
  const expiries = expiriesOf(logs);
  const clocks = Map.groupBy(
    logs.filter(({ name }) => name === "LeaseClockSet" || name === "LeaseClosed"),
    ({ args }) => leaseKey(args),
  );
  return logs
    .filter(({ name }) => name === "LeaseOpened")
    .flatMap(({ args }) => {
      const until = Math.min(end, expiries.get(String(args.authorizationId)) ?? end);
      return chargedPeriods(clocks.get(leaseKey(args)) ?? []).flatMap(({ from, to }): Run[] => {
        const period = { from: Math.max(begin, from), to: Math.min(until, to) };
        return period.from < period.to ? [{ ...leaseOf(args), ...period }] : [];
      });
    });
}

function leaseOf(args: Record<string, unknown>): Omit<Run, "from" | "to"> {
  return {
    workspaceId: amount(args.workspaceId),
    replica: number(args.replica),
    lease: number(args.lease),
    nodeId: number(args.nodeId),
    authorizationId: amount(args.authorizationId),
    rate: amount(args.rate),
  };
}

/** When each authorization ends: its expiry, or an earlier one that its revocation set. */
function expiriesOf(logs: readonly ChainLog[]): Map<string, number> {
  const expiries = new Map<string, number>();
  for (const { name, args } of logs) {
    if (name !== "Authorized" && name !== "AuthorizationRevoked") continue;
    const id = String(args.authorizationId);
    expiries.set(id, Math.min(number(args.expiry), expiries.get(id) ?? Number.POSITIVE_INFINITY));
  }
  return expiries;
}

/** The periods between the blocks in which a lease's clock changed to and from a charged one. The last state in a block counts. */
function chargedPeriods(logs: readonly ChainLog[]): { from: number; to: number }[] {
  const periods: { from: number; to: number }[] = [];
  for (const [index, { name, args, time, block }] of logs.entries()) {
    const next = logs[index + 1];
    if (next?.block === block || name === "LeaseClosed" || !charged.has(number(args.clock))) continue;
    periods.push({ from: time, to: next?.time ?? Number.POSITIVE_INFINITY });
  }
  return periods;
}

/** A refund as the chain has it, and what the logs lead to. */
export type RefundCheck = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  refunded: { downSeconds: number; amount: bigint; owner: string };
  /** The seconds that the node was down, and their price; zero where it was not. */
  proven: { downSeconds: number; price: bigint };
  /** The checks that fail. */
  failed: ("downSeconds" | "amount" | "owner" | "once")[];
};

/** Compares the refunds of a day with the downtime that the logs lead to. Amounts may be lower: the contract pays from held earnings. */
export function checkRefunds(
  logs: readonly ChainLog[],
  day: bigint,
  downtime: readonly (Omit<Run, "from" | "to"> & { downSeconds: number })[],
): RefundCheck[] {
  const proven = new Map(downtime.map((leaf) => [leaseKey(leaf), leaf]));
  const opened = new Map(
    logs.filter(({ name }) => name === "LeaseOpened").map(({ args }) => [leaseKey(args), args]),
  );
  const owners = new Map(
    logs
      .filter(({ name }) => name === "Authorized")
      .map(({ args }) => [String(args.authorizationId), String(args.owner).toLowerCase()]),
  );
  const seen = new Set<string>();
  return logs
    .filter(({ name, args }) => name === "Refunded" && amount(args.day) === day)
    .map(({ args }) => {
      const key = leaseKey(args);
      const leaf = proven.get(key);
      const downSeconds = leaf?.downSeconds ?? 0;
      const price = BigInt(downSeconds) * (leaf?.rate ?? 0n);
      const refunded = {
        downSeconds: number(args.downSeconds),
        amount: amount(args.amount),
        owner: String(args.owner).toLowerCase(),
      };
      const checks = {
        downSeconds: refunded.downSeconds === downSeconds,
        amount: refunded.amount <= price,
        owner: refunded.owner === owners.get(String(opened.get(key)?.authorizationId)),
        once: !seen.has(key),
      };
      seen.add(key);
      return {
        workspaceId: amount(args.workspaceId),
        replica: number(args.replica),
        lease: number(args.lease),
        refunded,
        proven: { downSeconds, price },
        failed: (Object.keys(checks) as (keyof typeof checks)[]).filter((name) => !checks[name]),
      };
    });
}
