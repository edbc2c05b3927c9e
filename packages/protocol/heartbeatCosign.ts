import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { codeOf, heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { domainOf } from "@ngpu/contracts-sdk/typedData";
import type { Hex, LocalAccount } from "viem";
import type { HeartbeatBits } from "./heartbeatBits.ts";

/** EIP-712 types of what a cosigner signs, in the domain of ComputeNode. */
export const cosignTypes = {
  HeartbeatSlot: [
    { name: "slot", type: "uint64" },
    { name: "encoding", type: "uint8" },
    { name: "nodeCount", type: "uint32" },
    { name: "bits", type: "bytes" },
  ],
  NodeOffline: [
    { name: "nodeId", type: "uint32" },
    { name: "deadline", type: "uint64" },
  ],
} as const;

/**
 * Agrees to the bits of a slot. With the signature a committer commits a slot that leaves out many nodes.
 *
 * @param account A cosigner of ComputeNode.
 */
export function cosignSlot(
  account: LocalAccount,
  deployment: Deployment,
  slot: bigint,
  { encoding, nodeCount, bits }: HeartbeatBits,
): Promise<Hex> {
  return account.signTypedData({
    domain: domainOf(deployment, "ComputeNode"),
    types: { HeartbeatSlot: cosignTypes.HeartbeatSlot },
    primaryType: "HeartbeatSlot",
    message: { slot, encoding: codeOf(heartbeatEncodings, encoding), nodeCount, bits },
  });
}

/** A cosigner's statement that a node is offline, as `ComputeNode.markOffline` takes it. */
export type OfflineStatement = { nodeId: number; deadline: bigint; signature: Hex };

/**
 * States that a node is offline.
 *
 * @param account A cosigner of ComputeNode.
 * @param deadline Unix seconds until which the statement counts.
 */
export async function signOffline(
  account: LocalAccount,
  deployment: Deployment,
  nodeId: number,
  deadline: bigint,
): Promise<OfflineStatement> {
  const signature = await account.signTypedData({
    domain: domainOf(deployment, "ComputeNode"),
    types: { NodeOffline: cosignTypes.NodeOffline },
    primaryType: "NodeOffline",
    message: { nodeId, deadline },
  });
  return { nodeId, deadline, signature };
}

/**
 * Whether a committer must have a slot cosigned, as ComputeNode counts: the bytes of the absentees and the nodes above
 * `nodeCount` are more than the share, or the slot is a bitmap.
 *
 * @param registered The number of registered nodes.
 * @param absenceBasisPoints ComputeNode's share, in hundredths of a percent.
 */
export function needsCosignature(
  { encoding, nodeCount, bits }: HeartbeatBits,
  registered: number,
  absenceBasisPoints: number,
): boolean {
  const known = Math.max(registered, nodeCount);
  const omitted = encoding === "bitmap" ? known : (bits.length - 2) / 2 + known - nodeCount;
  return omitted * 10_000 > known * absenceBasisPoints;
}
