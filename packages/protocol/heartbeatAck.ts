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
 * A signed statement of match that it received the heartbeats of nodes in a slot. A receipts' signer signs one root
 * for all nodes acknowledged within a second. Each node keeps the root, the signature and its own proof. With them
 * anyone can make ComputeNode set a bit that was not committed (`disputeHeartbeats`).
 */

/** EIP-712 type of the signed message, in the domain of ComputeNode. */
export const heartbeatAckTypes = {
  HeartbeatAck: [
    { name: "slot", type: "uint64" },
    { name: "root", type: "bytes32" },
  ],
} as const;

/** An acknowledgement, signed by a receipts' signer of ComputeNode. */
export type HeartbeatAck = { slot: bigint; root: Hex; signature: Hex };

/** The acknowledgement of one node, with the siblings of its leaf from the leaves up. */
export type NodeHeartbeatAck = HeartbeatAck & { nodeId: number; proof: Hex[] };

/** keccak256(keccak256(abi.encode(uint32 nodeId))). Hashed twice, so that an inner node is never a valid leaf. */
export function heartbeatLeafOf(nodeId: number): Hex {
  return keccak256(keccak256(encodeAbiParameters([{ type: "uint32" }], [nodeId])));
}

/** Cached leaves: a leaf never changes and costs two hashes. */
const leaves = new Map<number, Uint8Array>();
const maxCachedLeaves = 200_000;

function leafBytesOf(nodeId: number): Uint8Array {
  const known = leaves.get(nodeId);
  if (known !== undefined) return known;
  const leaf = hexToBytes(heartbeatLeafOf(nodeId));
  if (leaves.size >= maxCachedLeaves) leaves.clear();
  leaves.set(nodeId, leaf);
  return leaf;
}

/**
 * The tree over the nodes that are acknowledged together. Pairs are sorted before they are hashed, as in OpenZeppelin's
 * MerkleProof. A node without a sibling moves up unchanged.
 *
 * @param nodeIds At least one node id, without duplicates.
 * @throws RangeError if there is no node id or a duplicate.
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

/**
 * Signs the acknowledgement of nodes in a slot.
 *
 * @param account A receipts' signer.
 */
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

/** The root that a node's proof results in. */
export function heartbeatRootOf(nodeId: number, proof: readonly Hex[]): Hex {
  return proof.reduce<Hex>((node, sibling) => {
    const [first, second] = node < sibling ? [node, sibling] : [sibling, node];
    return keccak256(concatHex([first, second]));
  }, heartbeatLeafOf(nodeId));
}

/**
 * The signer of a node's acknowledgement, or undefined if the proof or the signature is invalid. ComputeNode's
 * `isReceiptSigner` says whether the signer is authorized.
 */
export async function ackSignerOf(
  deployment: Deployment,
  ack: NodeHeartbeatAck,
): Promise<Address | undefined> {
  const { slot, root, signature, nodeId, proof } = ack;
  if (heartbeatRootOf(nodeId, proof) !== root.toLowerCase()) return undefined;
  try {
    return await recoverTypedDataAddress({ ...typedDataOf(deployment, { slot, root }), signature });
  } catch {
    // The signature is malformed.
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
