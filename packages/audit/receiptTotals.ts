import { amount, type ChainLog, text } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { Hex } from "viem";

/** The checks of a batch of receipts; true: passed. */
export type BatchChecks = {
  /** Its number follows that of the batch before. */
  number: boolean;
  /** Its total is the sum of its leases, and that of its payers. */
  total: boolean;
  /** Each of its leases was opened on the node that it names. */
  leases: boolean;
  /** Each payer's total is that of the leases which it pays for. */
  payers: boolean;
};

/** A batch whose totals were compared with the leases on the chain. */
export type BatchAudit = { number: bigint; block: bigint; total: bigint; checks: BatchChecks };

const amountMask = (1n << 96n) - 1n;

/** Follows leases and batches log by log. */
export type BatchFollower = {
  /** Takes the next log of the chain. */
  take(log: ChainLog): void;
  /** Compares a batch with the leases on the chain and with the batch before, as of the logs that were taken. */
  judge(batch: ChainLog): BatchAudit;
};

export function createBatchFollower(): BatchFollower {
  const owners = new Map<string, string>();
  const leases = new Map<string, OpenedLease>();
  const numbers = new Map<number, bigint>();
  return {
    take: ({ name, args, generation }) => {
      if (name === "Authorized") owners.set(String(args.authorizationId), text(args.owner));
      if (name === "LeaseOpened") {
        const owner = owners.get(String(args.authorizationId));
        leases.set(leaseKey(args), { nodeId: amount(args.nodeId), owner });
      }
      if (name === "ReceiptsCommitted") numbers.set(generation, amount(args.number));
    },
    judge: (batch) => {
      const { args, block, generation } = batch;
      const number = amount(args.number);
      const follows = number === (numbers.get(generation) ?? 0n) + 1n;
      const checks = { number: follows, ...totalsOf(batch, leases) };
      return { number, block, total: amount(args.total), checks };
    },
  };
}

/**
 * Compares the totals of each batch of receipts with the leases on the chain. Single receipts are not on the chain.
 *
 * @param logs Of `rewardEvents` at least, in order.
 */
export function auditBatches(logs: readonly ChainLog[]): BatchAudit[] {
  const follower = createBatchFollower();
  const batches: BatchAudit[] = [];
  for (const log of logs) {
    if (log.name === "ReceiptsCommitted") batches.push(follower.judge(log));
    follower.take(log);
  }
  return batches;
}

type OpenedLease = { nodeId: bigint; owner: string | undefined };

function totalsOf({ args }: ChainLog, leases: ReadonlyMap<string, OpenedLease>): Omit<BatchChecks, "number"> {
  const words = (args.leaseTotals as Hex[]).map((word) => BigInt(word));
  const stated = (args.payerTotals as Hex[]).map((word) => BigInt(word));
  const expected = new Map<string, bigint>();
  let areOpened = true;
  for (const word of words) {
    const lease = leases.get(keyOf(word));
    if (lease?.owner === undefined || lease.nodeId !== word >> 224n) {
      areOpened = false;
      continue;
    }
    expected.set(lease.owner, (expected.get(lease.owner) ?? 0n) + (word & amountMask));
  }
  const payers = new Map<string, bigint>();
  for (const word of stated) {
    const account = `0x${(word >> 96n).toString(16).padStart(40, "0")}`;
    payers.set(account, (payers.get(account) ?? 0n) + (word & amountMask));
  }
  const total = amount(args.total);
  return {
    total: sumOf(words) === total && sumOf(stated) === total,
    leases: areOpened,
    payers: [...expected, ...payers].every(([account]) => expected.get(account) === payers.get(account)),
  };
}

/** | nodeId 32 | workspaceId 64 | replica 16 | lease 32 | - 16 | amount 96 | */
const keyOf = (word: bigint) =>
  `${(word >> 160n) & 0xffffffffffffffffn}/${(word >> 144n) & 0xffffn}/${(word >> 112n) & 0xffffffffn}`;

const sumOf = (words: readonly bigint[]) => words.reduce((sum, word) => sum + (word & amountMask), 0n);
