import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract, type Ids } from "@ngpu/contracts-sdk/generations";
import { domainOf } from "@ngpu/contracts-sdk/typedData";
import {
  type Address,
  concatHex,
  type Hex,
  hashTypedData,
  keccak256,
  type LocalAccount,
  numberToHex,
  recoverTypedDataAddress,
} from "viem";
import { type RelayKind, type RelayMessage, relayKinds } from "./relayKinds.ts";

// viem infers the message type from a literal type definition. A kind chosen at run time needs the general type.
type AnyTypedData = {
  domain: ReturnType<typeof domainOf>;
  types: Record<string, { name: string; type: string }[]>;
  primaryType: string;
  message: Record<string, unknown>;
};

function typedDataOf<Kind extends RelayKind>(
  deployment: Deployment,
  kind: Kind,
  message: RelayMessage<Kind>,
): AnyTypedData {
  const { contract, types: definition, primaryType } = relayKinds[kind];
  return {
    domain: domainOf(deployment, contract, message as Ids),
    types: definition as unknown as AnyTypedData["types"],
    primaryType,
    message: message as Record<string, unknown>,
  };
}

/** Signs a message with the node's or measurer's key. */
export function signRelay<Kind extends RelayKind>(
  account: LocalAccount,
  deployment: Deployment,
  kind: Kind,
  message: RelayMessage<Kind>,
): Promise<Hex> {
  return account.signTypedData(typedDataOf(deployment, kind, message));
}

/**
 * The arguments of the kind's batch function: the messages and their signatures, or the packed messages.
 * @throws PackingError if a message cannot be packed; see packedReports.ts.
 */
export function relayArgs(
  kind: RelayKind,
  items: readonly { message: unknown; signature: Hex }[],
): readonly unknown[] {
  const rule = relayKinds[kind];
  const parsed = items.map(({ message }) => rule.message.parse(message));
  const signatures = items.map(({ signature }) => signature);
  if ("item" in rule) return [parsed.map((message) => rule.item(message as { nodeId: number })), signatures];
  if (!("pack" in rule)) return [parsed, signatures];
  const pack = rule.pack as (message: unknown, signature: Hex) => unknown;
  return [items.map(({ signature }, index) => pack(parsed[index], signature))];
}

/** Groups the items of a batch by their contract. Messages of one kind may belong to several generations. */
export function relayGroups<Item extends { message: unknown }>(
  deployment: Deployment,
  kind: RelayKind,
  items: readonly Item[],
): Map<Address, Item[]> {
  const { contract, message } = relayKinds[kind];
  return byContract(deployment, contract, items, (item) => message.parse(item.message) as Ids);
}

/**
 * Identifies a message: its EIP-712 digest. For a dispute the node id is hashed in, because many nodes share one
 * signature.
 */
export function relayDigest<Kind extends RelayKind>(
  deployment: Deployment,
  kind: Kind,
  message: RelayMessage<Kind>,
): Hex {
  const digest = hashTypedData(typedDataOf(deployment, kind, message));
  if (kind !== "dispute") return digest;
  return keccak256(
    concatHex([digest, numberToHex((message as RelayMessage<"dispute">).nodeId, { size: 4 })]),
  );
}

/** The signer of a message. */
export function recoverRelay<Kind extends RelayKind>(
  deployment: Deployment,
  kind: Kind,
  message: RelayMessage<Kind>,
  signature: Hex,
): Promise<Address> {
  return recoverTypedDataAddress({ ...typedDataOf(deployment, kind, message), signature });
}
