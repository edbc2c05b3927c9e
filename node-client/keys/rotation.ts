import { linkSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, keyChangeTypes } from "@ngpu/contracts-sdk/typedData";
import { InputError } from "@ngpu/runtime/errors";
import { encodeFunctionData, type Hex, isAddressEqual, zeroAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createSecret } from "./files.ts";
import { encryptForPlace, openIdentity, readKeyFile } from "./identity.ts";
import { decryptKey } from "./keystore.ts";
import { openPassphrase } from "./passphrase.ts";
import { type KeyPlace, keyPath } from "./place.ts";
import { isPrivateKey, statedAddress } from "./privateKey.ts";

type Market = { client: ChainClient; deployment: Deployment };

/** A transaction that only the node's wallet can send; it is valid for a day. */
export type KeyChange = {
  nodeId: number;
  /** The present key and the next one. */
  from: Hex;
  to: Hex;
  wallet: Hex;
  transaction: { chainId: number; to: Hex; value: "0"; data: Hex };
};

/** Seconds for which the transaction is valid. */
const validity = 86_400;

const nextPath = ({ dir, name }: KeyPlace) => join(dir, `${name}.next.key`);

/**
 * Creates the node's next key, and the transaction with which its wallet puts it in place of the present one. Called again, it names
 * the same key.
 *
 * @throws InputError `node_not_registered` or `node_wallet_unbound`; FatalError `node_key_unusable` or `node_passphrase_unusable`.
 */
export async function prepareKeyChange(place: KeyPlace, { client, deployment }: Market): Promise<KeyChange> {
  const current = await openIdentity(place);
  const contract = { address: deployment.contracts.ComputeNode, abi: computeNodeAbi } as const;
  const nodeId = await client.readContract({
    ...contract,
    functionName: "nodeIdOf",
    args: [current.address],
  });
  if (nodeId === 0) {
    throw new InputError("The registry does not list this node's key.", {
      code: "node_not_registered",
      hint: "Start the client: it joins with the present key. Only the key of a registered node is replaced.",
    });
  }
  const wallet = await client.readContract({ ...contract, functionName: "walletOf", args: [nodeId] });
  if (isAddressEqual(wallet, zeroAddress)) {
    throw new InputError(`Node ${nodeId} has no wallet, and only a wallet changes a node's key.`, {
      code: "node_wallet_unbound",
      hint: "Accept the node with its wallet first. A node without a wallet joins again with a new key.",
    });
  }
  const [, ownership] = await client.readContract({
    ...contract,
    functionName: "sequencesOf",
    args: [nodeId],
  });
  const next = privateKeyToAccount(await openNextKey(place));
  const deadline = BigInt(Math.floor(Date.now() / 1_000) + validity);
  const message = { nodeId, key: next.address, sequence: ownership + 1, deadline };
  const consent = await next.signTypedData({
    domain: domainOf(deployment, "ComputeNode"),
    types: keyChangeTypes,
    primaryType: "KeyChange",
    message,
  });
  const data = encodeFunctionData({
    abi: computeNodeAbi,
    functionName: "setKeyBatch",
    args: [[{ ...message, consent }], ["0x"]],
  });
  const transaction = { chainId: deployment.chainId, to: contract.address, value: "0", data } as const;
  return { nodeId, from: current.address, to: next.address, wallet, transaction };
}

async function openNextKey(place: KeyPlace): Promise<Hex> {
  const path = nextPath(place);
  if (readKeyFile(path) === undefined) createSecret(path, await encryptForPlace(generatePrivateKey(), place));
  const text = readKeyFile(path) ?? "";
  return isPrivateKey(text) ? text : decryptKey(text, openPassphrase(place, true).text);
}

/** The address of the next key; undefined if there is none. */
export function nextAddress(place: KeyPlace): Hex | undefined {
  const text = readKeyFile(nextPath(place));
  return text === undefined ? undefined : statedAddress(text);
}

/**
 * Puts the next key in place once the registry lists it. The previous one stays beside it, with its address in the file's name.
 *
 * @param isRegistered Whether the registry lists a key.
 * @returns the address of the key that was put in place, or undefined
 */
export async function adoptNextKey(
  place: KeyPlace,
  isRegistered: (address: Hex) => Promise<boolean>,
): Promise<Hex | undefined> {
  const address = nextAddress(place);
  if (address === undefined || !(await isRegistered(address))) return undefined;
  keepPrevious(keyPath(place));
  // One step: a kill leaves the previous or the next key.
  renameSync(nextPath(place), keyPath(place));
  return address;
}

function keepPrevious(path: string): void {
  const address = statedAddress(readFileSync(path, "utf8")) ?? "previous";
  const kept = `${path}.${address}`;
  rmSync(kept, { force: true });
  linkSync(path, kept);
}
