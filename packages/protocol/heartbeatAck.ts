import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { domainOf } from "@ngpu/contracts-sdk/typedData";
import { type Address, type Hex, type LocalAccount, recoverTypedDataAddress } from "viem";
import { nodesOfWord, wordIndexOf, wordsOf } from "./heartbeatWords.ts";
import { areUnderRoot, type ProvenWords, type WordTree, wordTreeOf } from "./heartbeatWordTree.ts";

/**
 * A signed statement of match that it received the heartbeats of nodes in a slot. An acknowledger signs a root over
 * words of 256 nodes: one for all nodes acknowledged within a second, and one for the slot when it has ended. Each node
 * keeps the root, the signature and the proof of its word. With them anyone can make ComputeNode set the word's bits
 * (`disputeHeartbeats`), and with all words those of the whole slot.
 */

/** EIP-712 type of the signed message, in the domain of ComputeNode. */
export const heartbeatAckTypes = {
  HeartbeatAck: [
    { name: "slot", type: "uint64" },
    { name: "root", type: "bytes32" },
  ],
} as const;

/** An acknowledgement, signed by an acknowledger of ComputeNode. */
export type HeartbeatAck = { slot: bigint; root: Hex; signature: Hex };

/** The acknowledgement of one node: the bits of its word, and the siblings of the word's leaf from the leaves up. */
export type NodeHeartbeatAck = HeartbeatAck & { nodeId: number; bits: Hex; proof: Hex[] };

/** A word with its siblings, as ComputeNode takes one word of a root. */
export function provenWordOf({
  nodeId,
  bits,
  proof,
}: Pick<NodeHeartbeatAck, "nodeId" | "bits" | "proof">): ProvenWords {
  return { words: [{ index: wordIndexOf(nodeId), bits }], proof, proofFlags: proof.map(() => false) };
}

/** A signed root over the words of nodes, and the part of it that proves one of them. */
export type SignedHeartbeats = HeartbeatAck &
  WordTree & { ackOf(nodeId: number): Pick<NodeHeartbeatAck, "bits" | "proof"> };

/**
 * Signs the acknowledgement of nodes in a slot.
 *
 * @param account An acknowledger.
 * @param nodeIds At least one.
 * @throws RangeError if there is no node.
 */
export async function signHeartbeats(
  account: LocalAccount,
  deployment: Deployment,
  slot: bigint,
  nodeIds: Iterable<number>,
): Promise<SignedHeartbeats> {
  const tree = wordTreeOf(wordsOf(nodeIds));
  const signature = await signRoot(account, deployment, { slot, root: tree.root });
  const proven = new Map<number, Pick<NodeHeartbeatAck, "bits" | "proof">>();
  return {
    slot,
    signature,
    ...tree,
    ackOf(nodeId) {
      const index = wordIndexOf(nodeId);
      const known = proven.get(index);
      if (known !== undefined) return known;
      const { words, proof } = tree.prove([index]);
      const ack = { bits: words[0]?.bits as Hex, proof };
      proven.set(index, ack);
      return ack;
    },
  };
}

/** Signs a root for a slot. The root of no nodes is zero, which proves nothing on the chain. */
export function signRoot(
  account: LocalAccount,
  deployment: Deployment,
  message: Pick<HeartbeatAck, "slot" | "root">,
): Promise<Hex> {
  return account.signTypedData(typedDataOf(deployment, message));
}

/** The signer of a root for a slot, or undefined if the signature is malformed. */
export async function rootSignerOf(deployment: Deployment, ack: HeartbeatAck): Promise<Address | undefined> {
  const { slot, root, signature } = ack;
  try {
    return await recoverTypedDataAddress({ ...typedDataOf(deployment, { slot, root }), signature });
  } catch {
    return undefined;
  }
}

/**
 * The signer of a node's acknowledgement, or undefined if it does not name the node or its proof or signature is invalid.
 * ComputeNode's `isHeartbeatAcknowledger` says whether the signer is authorized.
 */
export async function ackSignerOf(
  deployment: Deployment,
  ack: NodeHeartbeatAck,
): Promise<Address | undefined> {
  if (!/^0x[0-9a-f]{64}$/i.test(ack.bits)) return undefined;
  const proven = provenWordOf(ack);
  if (!areUnderRoot(ack.root, proven)) return undefined;
  const isNamed = proven.words.some((word) => nodesOfWord(word).includes(ack.nodeId));
  return isNamed ? rootSignerOf(deployment, ack) : undefined;
}

function typedDataOf(deployment: Deployment, message: Pick<HeartbeatAck, "slot" | "root">) {
  return {
    domain: domainOf(deployment, "ComputeNode"),
    types: heartbeatAckTypes,
    primaryType: "HeartbeatAck",
    message,
  } as const;
}
