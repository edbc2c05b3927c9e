import {
  type Hex,
  serializeTransaction,
  size,
  type TransactionSerializableEIP1559,
  toEventSelector,
} from "viem";
import type { MarketFixture } from "../../contracts/support/market.ts";

/** Cost of one unit of an act: gas, the L1 fee in wei, and the bytes of the transaction that L1 charges for. */
export type Cost = { gas: number; l1Fee: number; l1Bytes: number };

/** Sums the receipts of transactions and divides by the number of units. */
export async function costOf(
  market: MarketFixture,
  hashes: readonly (Hex | Promise<Hex>)[],
  units = 1,
): Promise<Cost> {
  const costs = await Promise.all(hashes.map(async (hash) => transactionCost(market, await hash)));
  const sum = (part: keyof Cost) => costs.reduce((total, cost) => total + cost[part], 0) / units;
  return { gas: sum("gas"), l1Fee: sum("l1Fee"), l1Bytes: sum("l1Bytes") };
}

async function transactionCost(market: MarketFixture, hash: Hex): Promise<Cost> {
  const receipt = await market.client.waitForTransactionReceipt({ hash });
  if (receipt.status !== "success") throw new Error(`The transaction ${hash} was reverted.`);
  const refused = receipt.logs.filter((log) => log.topics[0] === itemRefused).length;
  if (refused > 0)
    throw new Error(`The transaction ${hash} rejected ${refused} items, so its cost is not valid.`);
  const { l1Fee } = receipt as unknown as { l1Fee?: Hex | bigint };
  if (l1Fee === undefined) throw new Error("The receipt has no l1Fee: the chain is no OP-stack simulation.");
  const transaction = await market.client.getTransaction({ hash });
  return { gas: Number(receipt.gasUsed), l1Fee: Number(l1Fee), l1Bytes: bytesOf(transaction) };
}

const itemRefused = toEventSelector("ItemRefused(uint256,bytes)");

/** Length of the signed transaction. */
function bytesOf(transaction: Awaited<ReturnType<MarketFixture["client"]["getTransaction"]>>): number {
  const { to, input, nonce, gas, value, maxFeePerGas, maxPriorityFeePerGas, chainId, r, s, yParity } =
    transaction;
  const fields = {
    to,
    data: input,
    nonce,
    gas,
    value,
    maxFeePerGas,
    maxPriorityFeePerGas,
    chainId: chainId ?? 1,
  };
  const bytes = serializeTransaction({ ...fields, type: "eip1559" } as TransactionSerializableEIP1559, {
    r,
    s,
    yParity: yParity ?? 0,
  });
  return size(bytes);
}
