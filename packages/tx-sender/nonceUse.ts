import { askEach } from "@ngpu/chain-reader/askEach";
import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Address, Hex } from "viem";

/** A nonce that the account has used on the chain. */
export type UsedNonce = { address: Address; nonce: bigint; hashes: readonly Hex[]; signedBlock: bigint };

/**
 * Who used a nonce: one of the given transactions, or another program's. An endpoint may lack a receipt of a transaction that is
 * mined, so a missing receipt proves nothing. The block in which the account's count passed the nonce has the transaction.
 *
 * @throws If no endpoint has the state or the block, or if they do not agree.
 */
export async function userOfNonce(client: ChainClient, used: UsedNonce): Promise<"own" | "other"> {
  const number = await blockOfUse(client, used);
  const query = { method: "eth_getBlockByNumber", params: [toHex(number), true] };
  const found = await askEach(client, query, (block) => transactionIn(block, used));
  if (found === undefined) throw new Error(`Block ${number} has no transaction with nonce ${used.nonce}.`);
  return used.hashes.some((hash) => hash.toLowerCase() === found) ? "own" : "other";
}

/** The first block after which the account's count is above the nonce. */
async function blockOfUse(client: ChainClient, { address, nonce, signedBlock }: UsedNonce): Promise<bigint> {
  const isUsed = async (blockNumber: bigint) =>
    BigInt(await client.getTransactionCount({ address, blockNumber })) > nonce;
  let last = await client.getBlockNumber();
  // A reorg may move it below the block that it was signed at, and another program may have used the nonce before.
  let before = (signedBlock < last ? signedBlock : last) - 1n;
  for (let step = 1n; before >= 0n && (await isUsed(before)); step *= 2n) {
    last = before;
    before -= step;
  }
  if (before < -1n) before = -1n;
  while (before + 1n < last) {
    const middle = (before + last) / 2n;
    if (await isUsed(middle)) last = middle;
    else before = middle;
  }
  return last;
}

/** The hash of the account's transaction with the nonce. */
function transactionIn(block: unknown, { address, nonce }: UsedNonce): string | undefined {
  const { transactions } = (block ?? {}) as { transactions?: unknown };
  if (!Array.isArray(transactions)) return undefined;
  const found = transactions.find((one: { from?: unknown; nonce?: unknown } | null) => {
    if (String(one?.from).toLowerCase() !== address.toLowerCase()) return false;
    const text = String(one?.nonce);
    return /^0x[0-9a-f]{1,16}$/i.test(text) && BigInt(text) === nonce;
  }) as { hash?: unknown } | undefined;
  return typeof found?.hash === "string" ? found.hash.toLowerCase() : undefined;
}

const toHex = (value: bigint): Hex => `0x${value.toString(16)}`;
