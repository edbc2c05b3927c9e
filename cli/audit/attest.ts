import { readFileSync } from "node:fs";
import { computeNodeAbi, pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import type { Address, Hex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { openWallet, sent } from "../account/chainWallet.ts";

/**
 * The account of a private key in a file.
 *
 * @param role Whose it is, in words.
 * @throws InputError `watcher_key_invalid`
 */
export function accountIn(file: string, role: string): PrivateKeyAccount {
  const invalid = (reason: string, cause?: unknown) =>
    new InputError(`The ${role}'s key in ${file} cannot be used: ${reason}.`, {
      code: "watcher_key_invalid",
      hint: "The file holds one private key: 0x and 64 hexadecimal digits.",
      cause,
    });
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw invalid(messageOf(cause), cause);
  }
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw invalid("it is no private key");
  return privateKeyToAccount(text as Hex);
}

/** The account that sends, which pays the gas, and where to. */
type Sender = { account: PrivateKeyAccount; chainId: number; rpcUrls: string[] };

/**
 * Attests an epoch that was recomputed, so that it is active sooner.
 *
 * @returns The transaction's hash.
 * @throws FatalError `transaction_failed`.
 */
export async function attestEpoch(
  from: Sender,
  { pomc, number, root }: { pomc: Address; number: number; root: Hex },
): Promise<Hex> {
  const client = openWallet(from.account, from);
  return sent({ client }, async () => {
    const { request } = await client.simulateContract({
      address: pomc,
      abi: pomcAbi,
      functionName: "attestEpoch",
      args: [BigInt(number), root],
    });
    return client.writeContract(request);
  });
}

/**
 * Disables an epoch that is not active yet, and every later one. Guardian only.
 *
 * @returns The transaction's hash.
 * @throws FatalError `transaction_failed`.
 */
export async function disableEpoch(
  from: Sender,
  { pomc, number }: { pomc: Address; number: number },
): Promise<Hex> {
  const client = openWallet(from.account, from);
  return sent({ client }, async () => {
    const { request } = await client.simulateContract({
      address: pomc,
      abi: pomcAbi,
      functionName: "disableEpoch",
      args: [BigInt(number)],
    });
    return client.writeContract(request);
  });
}

/**
 * Disables the uptime root of a day that is not active yet. Guardian only.
 *
 * @returns The transaction's hash.
 * @throws FatalError `transaction_failed`.
 */
export async function disableUptime(
  from: Sender,
  { computeNode, day }: { computeNode: Address; day: bigint },
): Promise<Hex> {
  const client = openWallet(from.account, from);
  return sent({ client }, async () => {
    const { request } = await client.simulateContract({
      address: computeNode,
      abi: computeNodeAbi,
      functionName: "disableUptime",
      args: [day],
    });
    return client.writeContract(request);
  });
}
