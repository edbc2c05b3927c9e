import { readFileSync } from "node:fs";
import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import type { Address, Hex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { openWallet, sent } from "../account/chainWallet.ts";

/** A watcher's account. @throws InputError `watcher_key_invalid` */
function watcherOf(file: string): PrivateKeyAccount {
  const invalid = (reason: string, cause?: unknown) =>
    new InputError(`The watcher's key in ${file} cannot be used: ${reason}.`, {
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

/**
 * Attests an epoch that was recomputed, so that it is active sooner. The watcher's account pays the gas.
 *
 * @returns The transaction's hash.
 * @throws InputError `watcher_key_invalid`; FatalError `transaction_failed`.
 */
export async function attestEpoch(options: {
  keyFile: string;
  chainId: number;
  rpcUrls: string[];
  pomc: Address;
  number: number;
  root: Hex;
}): Promise<Hex> {
  const { keyFile, pomc, number, root } = options;
  const client = openWallet(watcherOf(keyFile), options);
  const { request } = await client.simulateContract({
    address: pomc,
    abi: pomcAbi,
    functionName: "attestEpoch",
    args: [BigInt(number), root],
  });
  return sent({ client }, () => client.writeContract(request));
}
