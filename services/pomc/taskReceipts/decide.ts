import { type TaskReceipt, taskHashOf, taskReceiptTreeOf } from "@ngpu/protocol/taskReceiptTree";
import { concatHex, type Hex, toHex } from "viem";

/** What Pomc takes of nodes, and of payers, in one batch. */
const totalsAtOnce = 512;

/** A task that a replica answered, and the lease that was paid for it. */
export type ServedTask = Omit<TaskReceipt, "taskHash" | "amount"> & {
  id: string;
  /** What the lease costs, token units (1e-18) a second. */
  rate: bigint;
  /** Whether its lease still runs and is to be settled first, should less have been paid than the task cost. */
  pending: boolean;
};

/** What was paid and no receipt stands for yet, token units: by lease (`workspace/replica/lease`), payer and node. */
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
 * A batch of receipts for tasks in the order given. A task costs its lease's rate for as long as it took, but all tasks
 * of a lease, a payer or a node together no more than was paid: those that come later then cost less, or wait. Stops before a
 * task that would take the batch beyond what Pomc takes at once.
 *
 * @returns undefined when no task gets its receipt.
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
  return totals.has(key) || totals.size < totalsAtOnce;
}

function least(...amounts: bigint[]): bigint {
  const [found = 0n] = amounts.sort((a, b) => (a < b ? -1 : 1));
  return found < 0n ? 0n : found;
}

function add<Key>(sums: Map<Key, bigint>, key: Key, amount: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + amount);
}
