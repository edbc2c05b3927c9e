import { askEach } from "@ngpu/chain-reader/askEach";
import type { ChainClient } from "@ngpu/chain-reader/client";
import { hashOf, parseResponse } from "@ngpu/chain-reader/parse";
import {
  formatTransactionReceipt,
  type Hex,
  type RpcTransactionReceipt,
  type TransactionReceipt,
} from "viem";

export type Mined = { hash: Hex; receipt: TransactionReceipt };

/**
 * The receipt of a transaction, under any of its hashes. Undefined: no endpoint has one of a mined transaction.
 *
 * @throws RetryableError `rpc_response_invalid` if the receipts cannot be read; what the endpoints answer otherwise.
 */
export async function receiptOf(client: ChainClient, hashes: readonly Hex[]): Promise<Mined | undefined> {
  for (const hash of hashes) {
    const query = { method: "eth_getTransactionReceipt", params: [hash] };
    const receipt = await askEach(client, query, (answer) => readReceipt(answer, hash));
    if (receipt !== undefined) return { hash, receipt };
  }
  return undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a receipt. What decides about the transaction must be valid; other fields are left out where they are not.
 *
 * @returns Undefined for none, and for that of a transaction that is not in a block.
 * @throws RetryableError `rpc_response_invalid`.
 */
export function readReceipt(answer: unknown, hash: Hex): TransactionReceipt | undefined {
  if (answer === null || answer === undefined) return undefined;
  return parseResponse(() => {
    const fields = fieldsOf(answer);
    if (fields.blockNumber === null || fields.blockHash === null) return undefined;
    if (hashOf(fields.transactionHash) !== hash.toLowerCase()) throw new TypeError("another transaction");
    const status = quantityOf(fields.status);
    if (status > 1n) throw new TypeError("not a status");
    if (!Array.isArray(fields.logs)) throw new TypeError("not a list of logs");
    return formatTransactionReceipt({
      ...readableQuantities(fields),
      transactionHash: hash,
      blockHash: hashOf(fields.blockHash),
      blockNumber: toHex(quantityOf(fields.blockNumber)),
      gasUsed: toHex(quantityOf(fields.gasUsed)),
      status: status === 1n ? "0x1" : "0x0",
      to: isAddress(fields.to) ? fields.to : null,
      from: fields.from,
      contractAddress: null,
      logs: fields.logs.map(readLog),
    } as unknown as RpcTransactionReceipt);
  });
}

function readLog(answer: unknown): Fields {
  const fields = fieldsOf(answer);
  if (!isAddress(fields.address)) throw new TypeError("not an address");
  if (!Array.isArray(fields.topics)) throw new TypeError("not a list of topics");
  return {
    ...readableQuantities(fields),
    address: fields.address,
    topics: fields.topics.map(hashOf),
    data: bytesOf(fields.data),
  };
}

function fieldsOf(answer: unknown): Fields {
  if (typeof answer !== "object" || answer === null) throw new TypeError("not an object");
  return answer as Fields;
}

/** The quantities of an object that are read as such. Those that nothing depends on may be missing or odd. */
function readableQuantities(fields: Fields): Fields {
  return Object.fromEntries(
    quantities.flatMap((name) => (isQuantity(fields[name]) ? [[name, fields[name]]] : [])),
  );
}

const quantities = ["blockNumber", "cumulativeGasUsed", "effectiveGasPrice", "logIndex", "transactionIndex"];

const isQuantity = (value: unknown): value is Hex =>
  typeof value === "string" && /^0x[0-9a-f]{1,64}$/i.test(value);
const isAddress = (value: unknown): value is Hex =>
  typeof value === "string" && /^0x[0-9a-f]{40}$/i.test(value);

function quantityOf(value: unknown): bigint {
  if (!isQuantity(value)) throw new TypeError("not a quantity");
  const number = BigInt(value);
  // What Postgres stores in eight bytes.
  if (number >= 2n ** 63n) throw new TypeError("a quantity that no chain reaches");
  return number;
}

const toHex = (value: bigint): Hex => `0x${value.toString(16)}`;

function bytesOf(value: unknown): Hex {
  if (typeof value !== "string" || !/^0x([0-9a-f]{2})*$/i.test(value)) throw new TypeError("not bytes");
  return value as Hex;
}
