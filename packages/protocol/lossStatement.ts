import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { domainOf } from "@ngpu/contracts-sdk/typedData";
import { type Address, concatHex, type Hex, type LocalAccount, numberToHex } from "viem";
import { compactSignature } from "./packedReports.ts";

/**
 * A witness's statement that it has not heard of a node since a time. With it a keeper releases the node's leases
 * (`DockerContract.releaseLost`). It counts for 30 s.
 */
export type LossStatement = { nodeId: number; lastHeard: number; statedAt: number };

/** As `releaseLost` takes it. PackedLosses.sol documents the layout. */
export type SignedLoss = { head: Hex; r: Hex; vs: Hex };

/** EIP-712 type of the signed message, in the domain of DockerContract. */
export const lossTypes = {
  Lost: [
    { name: "nodeId", type: "uint32" },
    { name: "lastHeard", type: "uint40" },
    { name: "statedAt", type: "uint40" },
  ],
} as const;

/** Packs a statement and its signature. */
export function packLoss({ nodeId, lastHeard, statedAt }: LossStatement, signature: Hex): SignedLoss {
  const head = concatHex([
    numberToHex(nodeId, { size: 4 }),
    numberToHex(lastHeard, { size: 5 }),
    numberToHex(statedAt, { size: 5 }),
    numberToHex(0, { size: 18 }),
  ]);
  return { head, ...compactSignature(signature) };
}

/**
 * Signs a statement for one DockerContract: replaced ones still hold leases.
 *
 * @param account A witness of that contract.
 */
export async function signLoss(
  account: LocalAccount,
  deployment: Deployment,
  at: Address,
  statement: LossStatement,
): Promise<SignedLoss> {
  const signature = await account.signTypedData({
    domain: { ...domainOf(deployment, "DockerContract"), verifyingContract: at },
    types: lossTypes,
    primaryType: "Lost",
    message: statement,
  });
  return packLoss(statement, signature);
}
