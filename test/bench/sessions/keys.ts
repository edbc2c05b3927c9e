import { keccak256, toBytes } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";

/** The key of a node, derived from the seed: both processes of the benchmark compute it. */
export function nodeKey(seed: number, place: number): PrivateKeyAccount {
  return privateKeyToAccount(keccak256(toBytes(`ngpu bench ${seed} node ${place}`)));
}
