import { type TaskReceipt, taskHashOf, taskReceiptTreeOf } from "@ngpu/protocol/taskReceiptTree";
import { concatHex, type Hex, toHex } from "viem";

/** Maximum number of leases, and of payers, in one batch; Pomc's limit. */
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
  /** | nodeId 32 | workspaceId 64 | replica 16 | lease 32 | - 16 | amount 96 | each. */
  leaseTotals: Hex[];
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
  const leaseTotals = new Map<Hex, bigint>();
  const payerTotals = new Map<Hex, bigint>();
  const receipts: (TaskReceipt & { taskId: string })[] = [];
  for (const { id, rate, pending, ...task } of tasks) {
    const word = leaseWord(task);
    if (!fits(leaseTotals, word) || !fits(payerTotals, task.payer)) break;
    const key = leaseKey(task);
    const left = [leases.get(key), payers.get(task.payer), nodes.get(task.nodeId)].map((sum) => sum ?? 0n);
    const cost = (rate * BigInt(task.durationMs)) / 1_000n;
    const amount = least(cost, ...left);
    if (pending && amount < cost) continue;
    add(leases, key, -amount);
    add(payers, task.payer, -amount);
    add(nodes, task.nodeId, -amount);
    add(leaseTotals, word, amount);
    add(payerTotals, task.payer, amount);
    receipts.push({ ...task, taskId: id, taskHash: taskHashOf(id), amount });
  }
  if (receipts.length === 0) return undefined;
  const tree = taskReceiptTreeOf(receipts);
  return {
    root: tree.root,
    total: receipts.reduce((sum, { amount }) => sum + amount, 0n),
    leaseTotals: [...leaseTotals]
      .filter(([, amount]) => amount > 0n)
      .map(([word, amount]) => concatHex([word, toHex(amount, { size: 12 })])),
    payerTotals: [...payerTotals]
      .filter(([, amount]) => amount > 0n)
      .map(([payer, amount]) => concatHex([payer, toHex(amount, { size: 12 })])),
    receipts: receipts.map((receipt, index) => ({ ...receipt, proof: tree.proofOf(index) })),
  };
}

/** The first 20 bytes of a lease's total. */
function leaseWord({ nodeId, workspaceId, replica, lease }: Omit<TaskReceipt, "taskHash" | "amount">): Hex {
  return concatHex([
    toHex(nodeId, { size: 4 }),
    toHex(workspaceId, { size: 8 }),
    toHex(replica, { size: 2 }),
    toHex(lease, { size: 4 }),
    "0x0000",
  ]);
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
