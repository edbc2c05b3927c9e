import { type TaskReceipt, taskHashOf, taskReceiptTreeOf } from "@ngpu/protocol/taskReceiptTree";
import { concatHex, type Hex, toHex } from "viem";

/** Maximum number of nodes, and of payers, in one batch; Pomc's limit. */
const maxTotals = 512;

/** A task that a replica served, with its lease. */
export type ServedTask = Omit<TaskReceipt, "taskHash" | "amount"> & {
  id: string;
  /** The lease's rate, token units (1e-18) per second. */
  rate: bigint;
  /** Whether the lease still runs. If less is paid than the task cost, the task then waits for its settlement. */
  pending: boolean;
};

/** Paid amounts without a receipt, token units (1e-18): by lease (`workspace/replica/lease`), payer and node. */
export type Paid = {
  leases: ReadonlyMap<string, bigint>;
  payers: ReadonlyMap<string, bigint>;
  nodes: ReadonlyMap<number, bigint>;
};

export type ProvenReceipt = TaskReceipt & { taskId: string; proof: Hex[] };

export type Batch = {
  root: Hex;
  total: bigint;
  /** | - 128 | nodeId 32 | amount 96 | each. */
  nodeTotals: Hex[];
  /** | account 160 | amount 96 | each. */
  payerTotals: Hex[];
  receipts: ProvenReceipt[];
};

export const leaseKey = (ref: { workspaceId: bigint; replica: number; lease: number }) =>
  `${ref.workspaceId}/${ref.replica}/${ref.lease}`;

/**
 * Makes a batch of receipts for tasks, in the given order. The amount of a receipt is the lease's rate times the task's duration.
 * The receipts of a lease, a payer or a node never exceed what was paid: later tasks then have smaller amounts, or wait. The batch
 * ends before a task that would exceed Pomc's limits.
 *
 * @returns undefined when no task gets a receipt.
 */
export function makeBatch(tasks: readonly ServedTask[], paid: Paid): Batch | undefined {
  const leases = new Map(paid.leases);
  const payers = new Map(paid.payers);
  const nodes = new Map(paid.nodes);
  const nodeTotals = new Map<number, bigint>();
  const payerTotals = new Map<Hex, bigint>();
  const receipts: (TaskReceipt & { taskId: string })[] = [];
  for (const { id, rate, pending, ...task } of tasks) {
    if (!fits(nodeTotals, task.nodeId) || !fits(payerTotals, task.payer)) break;
    const key = leaseKey(task);
    const left = [leases.get(key), payers.get(task.payer), nodes.get(task.nodeId)].map((sum) => sum ?? 0n);
    const cost = (rate * BigInt(task.durationMs)) / 1_000n;
    const amount = least(cost, ...left);
    if (pending && amount < cost) continue;
    add(leases, key, -amount);
    add(payers, task.payer, -amount);
    add(nodes, task.nodeId, -amount);
    add(nodeTotals, task.nodeId, amount);
    add(payerTotals, task.payer, amount);
    receipts.push({ ...task, taskId: id, taskHash: taskHashOf(id), amount });
  }
  if (receipts.length === 0) return undefined;
  const tree = taskReceiptTreeOf(receipts);
  return {
    root: tree.root,
    total: receipts.reduce((sum, { amount }) => sum + amount, 0n),
    nodeTotals: [...nodeTotals]
      .filter(([, amount]) => amount > 0n)
      .map(([nodeId, amount]) => toHex((BigInt(nodeId) << 96n) | amount, { size: 32 })),
    payerTotals: [...payerTotals]
      .filter(([, amount]) => amount > 0n)
      .map(([payer, amount]) => concatHex([payer, toHex(amount, { size: 12 })])),
    receipts: receipts.map((receipt, index) => ({ ...receipt, proof: tree.proofOf(index) })),
  };
}

function fits<Key>(totals: ReadonlyMap<Key, bigint>, key: Key): boolean {
  return totals.has(key) || totals.size < maxTotals;
}

function least(...amounts: bigint[]): bigint {
  const [found = 0n] = amounts.sort((a, b) => (a < b ? -1 : 1));
  return found < 0n ? 0n : found;
}

function add<Key>(sums: Map<Key, bigint>, key: Key, amount: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + amount);
}
