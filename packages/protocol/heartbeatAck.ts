import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { domainOf } from "@ngpu/contracts-sdk/typedData";
import {
  type Address,
  bytesToHex,
  concatHex,
  encodeAbiParameters,
  type Hex,
  hexToBytes,
  keccak256,
  type LocalAccount,
  recoverTypedDataAddress,
} from "viem";

/**
 * match's word that it heard nodes in a slot. Whoever acknowledges heartbeats signs one root for many nodes (all that it
 * acknowledged in a second), so that a signature costs little; each node keeps the root, the signature and its own proof, and
 * with them anyone can have ComputeNode set a bit that was not committed (`disputeHeartbeats`).
 */

/** EIP-712 type of what is signed, in the domain of ComputeNode. */
export const heartbeatAckTypes = {
  HeartbeatAck: [
    { name: "slot", type: "uint64" },
    { name: "root", type: "bytes32" },
  ],
} as const;

/** What was signed, by an account that is a heartbeat committer of ComputeNode. */
export type HeartbeatAck = { slot: bigint; root: Hex; signature: Hex };

/** What a node holds: the receipt and the siblings of its leaf, lowest first. */
export type NodeHeartbeatAck = HeartbeatAck & { nodeId: number; proof: Hex[] };

/** keccak256(keccak256(abi.encode(uint32 nodeId))): hashed twice, so that no inner node passes for a leaf. */
export function heartbeatLeafOf(nodeId: number): Hex {
  return keccak256(keccak256(encodeAbiParameters([{ type: "uint32" }], [nodeId])));
}

/** Leaves never change and each is two hashes. */
const leaves = new Map<number, Uint8Array>();
const leavesKept = 200_000;

function leafBytesOf(nodeId: number): Uint8Array {
  const known = leaves.get(nodeId);
  if (known !== undefined) return known;
  const leaf = hexToBytes(heartbeatLeafOf(nodeId));
  if (leaves.size >= leavesKept) leaves.clear();
  leaves.set(nodeId, leaf);
  return leaf;
}

/**
 * The tree over the nodes acknowledged together: pairs sorted before they are hashed, as OpenZeppelin's MerkleProof has it; one
 * without a partner moves up as it is.
 *
 * @param nodeIds At least one, each once.
 * @throws RangeError for no node, or one that is there twice.
 */
export function heartbeatTreeOf(nodeIds: readonly number[]): { root: Hex; proofOf(nodeId: number): Hex[] } {
  if (nodeIds.length === 0) throw new RangeError("An acknowledgement names at least one node.");
  const positionOf = new Map(nodeIds.map((nodeId, position) => [nodeId, position]));
  if (positionOf.size !== nodeIds.length) throw new RangeError("An acknowledgement names each node once.");
  const levels = [nodeIds.map(leafBytesOf)];
  for (let level = levels[0]; level !== undefined && level.length > 1; level = levels.at(-1)) {
    levels.push(parentsOf(level));
  }
  return {
    root: bytesToHex(levels.at(-1)?.[0] ?? new Uint8Array(32)),
    proofOf(nodeId) {
      const position = positionOf.get(nodeId);
      if (position === undefined) throw new RangeError(`Node ${nodeId} is not in the acknowledgement.`);
      return levels.flatMap((level, height) => {
        const sibling = level[(position >> height) ^ 1];
        return sibling === undefined ? [] : [bytesToHex(sibling)];
      });
    },
  };
}

function parentsOf(level: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let position = 0; position < level.length; position += 2) {
    const left = level[position] as Uint8Array;
    const right = level[position + 1];
    parents.push(right === undefined ? left : hashPair(left, right));
  }
  return parents;
}

function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  const isSorted = Buffer.compare(left, right) < 0;
  return keccak256(Buffer.concat(isSorted ? [left, right] : [right, left]), "bytes");
}

/** Signs the nodes acknowledged together in a slot, with the key of a heartbeat committer. */
export async function signHeartbeats(
  account: LocalAccount,
  deployment: Deployment,
  slot: bigint,
  nodeIds: readonly number[],
): Promise<HeartbeatAck & { proofOf(nodeId: number): Hex[] }> {
  const { root, proofOf } = heartbeatTreeOf(nodeIds);
  const signature = await account.signTypedData(typedDataOf(deployment, { slot, root }));
  return { slot, root, signature, proofOf };
}

/** The root that a proof leads to. */
export function heartbeatRootOf(nodeId: number, proof: readonly Hex[]): Hex {
  return proof.reduce<Hex>((node, sibling) => {
    const [first, second] = node < sibling ? [node, sibling] : [sibling, node];
    return keccak256(concatHex([first, second]));
  }, heartbeatLeafOf(nodeId));
}

/**
 * Who signed a node's receipt; ask ComputeNode's `isHeartbeatCommitter` whether that one may. Undefined when the proof does not
 * lead to the root or there is no such signature: then the receipt proves nothing.
 */
export async function ackSignerOf(
  deployment: Deployment,
  receipt: NodeHeartbeatAck,
): Promise<Address | undefined> {
  const { slot, root, signature, nodeId, proof } = receipt;
  if (heartbeatRootOf(nodeId, proof) !== root.toLowerCase()) return undefined;
  try {
    return await recoverTypedDataAddress({ ...typedDataOf(deployment, { slot, root }), signature });
  } catch {
    // Not a signature at all.
    return undefined;
  }
}

function typedDataOf(deployment: Deployment, message: Pick<HeartbeatAck, "slot" | "root">) {
  return {
    domain: domainOf(deployment, "ComputeNode"),
    types: heartbeatAckTypes,
    primaryType: "HeartbeatAck",
    message,
  } as const;
}
