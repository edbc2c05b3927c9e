import { keccak256, toBytes } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";

/** The key of a node: the same in the process that registers it and in the one that opens its session. */
export function nodeKey(seed: number, place: number): PrivateKeyAccount {
  return privateKeyToAccount(keccak256(toBytes(`ngpu bench ${seed} node ${place}`)));
}
