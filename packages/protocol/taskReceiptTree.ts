import { canonicalJson } from "@ngpu/runtime/json";
import { SimpleMerkleTree } from "@openzeppelin/merkle-tree/dist/simple.js";
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, stringToHex, toBytes } from "viem";

/**
 * A task that a node served, with its cost. The leaf is keccak256(keccak256(abi.encode(…fields in this order))). Pairs
 * are sorted before they are hashed, as in OpenZeppelin's MerkleProof. Pomc stores the root of a batch of receipts.
 */
export type TaskReceipt = {
  /** keccak256 of the task id. Only holders of the id can find the receipt. */
  taskHash: Hex;
  /** The owner whose deposit paid. */
  payer: Hex;
  nodeId: number;
  workspaceId: bigint;
  replica: number;
  lease: number;
  /** Unix milliseconds. */
  finishedAt: bigint;
  durationMs: number;
  succeeded: boolean;
  /** The part of the lease's cost that this task accounts for, token units (1e-18). */
  amount: bigint;
  resultHash: Hex;
};

const fields = parseAbiParameters(
  "bytes32 taskHash, address payer, uint32 nodeId, uint64 workspaceId, uint16 replica, uint32 lease, uint64 finishedAt, uint32 durationMs, bool succeeded, uint96 amount, bytes32 resultHash",
);

export function taskHashOf(taskId: string): Hex {
  return keccak256(stringToHex(taskId));
}

/** Hashes a task's result as shown by the API. The task id is included, so that short results cannot be guessed. */
export function resultHashOf(taskId: string, result: unknown): Hex {
  // As bytes: the hex text of a large result takes seconds.
  return keccak256(toBytes(canonicalJson({ taskId, result: result ?? null })));
}

export function taskReceiptLeafOf(receipt: TaskReceipt): Hex {
  const { taskHash, payer, nodeId, workspaceId, replica, lease, finishedAt, durationMs } = receipt;
  return keccak256(
    keccak256(
      encodeAbiParameters(fields, [
        taskHash,
        payer,
        nodeId,
        workspaceId,
        replica,
        lease,
        finishedAt,
        durationMs,
        receipt.succeeded,
        receipt.amount,
        receipt.resultHash,
      ] as const),
    ),
  );
}

/**
 * The tree over a batch of receipts, in the given order.
 *
 * @throws RangeError if there is no receipt.
 */
export function taskReceiptTreeOf(receipts: readonly TaskReceipt[]): {
  root: Hex;
  proofOf(index: number): Hex[];
} {
  if (receipts.length === 0) throw new RangeError("A tree has at least one leaf.");
  const tree = SimpleMerkleTree.of(receipts.map(taskReceiptLeafOf), { sortLeaves: false });
  return { root: tree.root as Hex, proofOf: (index) => tree.getProof(index) as Hex[] };
}

/** Whether the proof of a receipt is valid under the root. */
export function verifyTaskReceipt(root: Hex, receipt: TaskReceipt, proof: readonly Hex[]): boolean {
  return SimpleMerkleTree.verify(root, taskReceiptLeafOf(receipt), [...proof]);
}
