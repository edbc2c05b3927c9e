import {
  resultHashOf,
  type TaskReceipt,
  taskHashOf,
  verifyTaskReceipt,
} from "@ngpu/protocol/taskReceiptTree";
import { amount, type ChainLog, number, text } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { Hex } from "viem";

/** The events that a receipt is compared with, by contract. */
export const receiptEvents = {
  Escrow: ["Authorized", "LeaseOpened"],
  Pomc: ["ReceiptsCommitted"],
} as const;

export type StatedReceipt = {
  id: string;
  receipt: TaskReceipt;
  batch: bigint;
  proof: Hex[];
  /** The task as the API shows it; undefined: its result is not compared. */
  task: { result: unknown; status: string } | undefined;
};

/** The checks of a receipt, each computed from the task and the chain; true: passed. */
export type ReceiptChecks = {
  task: boolean;
  result?: boolean;
  status?: boolean;
  proof: boolean;
  lease: boolean;
  payer: boolean;
  totals: boolean;
};

/** Compares a receipt with the logs. Null root: the chain has no such batch. */
export function auditReceipt(
  logs: readonly ChainLog[],
  { id, receipt, batch, proof, task }: StatedReceipt,
): { root: Hex | null; checks: ReceiptChecks } {
  const committed = logs.find(
    ({ name, args }) => name === "ReceiptsCommitted" && amount(args.number) === batch,
  );
  const root = committed === undefined ? null : (String(committed.args.root) as Hex);
  const key = leaseKey(receipt);
  const opened = logs.find(({ name, args }) => name === "LeaseOpened" && leaseKey(args) === key);
  const authorized = logs.find(
    ({ name, args }) => name === "Authorized" && args.authorizationId === opened?.args.authorizationId,
  );
  const ofTask = task && {
    result: receipt.resultHash === resultHashOf(id, task.result),
    status: receipt.succeeded === (task.status === "succeeded"),
  };
  return {
    root,
    checks: {
      task: receipt.taskHash === taskHashOf(id),
      ...ofTask,
      proof: root !== null && verifyTaskReceipt(root, receipt, proof),
      lease: opened !== undefined && number(opened.args.nodeId) === receipt.nodeId,
      payer: text(authorized?.args.owner) === receipt.payer.toLowerCase(),
      totals: committed !== undefined && isInTotals(committed, receipt),
    },
  };
}

/** Whether the batch's totals of the lease and of the payer are at least the receipt's amount. */
function isInTotals({ args }: ChainLog, receipt: TaskReceipt): boolean {
  if (receipt.amount === 0n) return true;
  const lease =
    (BigInt(receipt.nodeId) << 224n) |
    (receipt.workspaceId << 160n) |
    (BigInt(receipt.replica) << 144n) |
    (BigInt(receipt.lease) << 112n);
  const payer = BigInt(receipt.payer) << 96n;
  return (
    totalOf(args.leaseTotals as Hex[], lease) >= receipt.amount &&
    totalOf(args.payerTotals as Hex[], payer) >= receipt.amount
  );
}

const amountMask = (1n << 96n) - 1n;

/** The sum of the amounts of the words that begin like another. */
function totalOf(words: readonly Hex[], like: bigint): bigint {
  return words
    .map((word) => BigInt(word))
    .filter((word) => word - (word & amountMask) === like)
    .reduce((sum, word) => sum + (word & amountMask), 0n);
}
