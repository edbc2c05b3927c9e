import { type AbiName, abis } from "@ngpu/contracts-sdk/abis";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { type Abi, type AbiEvent, type Address, type Hex, numberToHex } from "viem";
import { type RawReceipt, receiptsRootOf } from "../../../packages/chain-reader/receiptsRoot.ts";
import { encodeEvent } from "../../packages/chain-reader/scriptedChain.ts";

/** A block's logs as an endpoint answers with them, and the receipts that prove them. */
export type ServedBlock = { logs: Record<string, unknown>[]; receipts: RawReceipt[]; receiptsRoot: Hex };

/** Logs of a transaction. */
const logsOfTransaction = 8;
/** It may contain anything. */
export const anyBloom: Hex = `0x${"f".repeat(512)}`;

/**
 * Encodes logs as the contracts emit them, by block.
 *
 * @param logs In the chain's order.
 */
export function encodeLogs(
  logs: readonly ChainLog[],
  { contracts }: Deployment,
  hashOf: (block: number) => Hex,
): Map<number, ServedBlock> {
  const events = eventsByName();
  const blocks = new Map<number, ServedBlock>();
  for (const [block, own] of Map.groupBy(logs, (log) => Number(log.block))) {
    const blockHash = hashOf(block);
    const encoded = own.map((log, place) => {
      const event = events.get(`${log.contract}.${log.name}`) as AbiEvent;
      const transaction = Math.floor(place / logsOfTransaction);
      return {
        ...encodeEvent(contracts[log.contract as AbiName] as Address, event, log.args),
        blockNumber: numberToHex(block),
        blockHash,
        transactionHash: numberToHex((BigInt(block) << 64n) + BigInt(transaction + 1), { size: 32 }),
        logIndex: numberToHex(place),
        transactionIndex: numberToHex(transaction),
        removed: false,
      };
    });
    const receipts = Array.from(
      { length: Math.ceil(own.length / logsOfTransaction) },
      (_, place): RawReceipt => {
        const gas = numberToHex(100_000 * (place + 1));
        const part = encoded.slice(place * logsOfTransaction, (place + 1) * logsOfTransaction);
        return { type: "0x2", status: "0x1", cumulativeGasUsed: gas, logsBloom: anyBloom, logs: part };
      },
    );
    blocks.set(block, { logs: encoded, receipts, receiptsRoot: receiptsRootOf(receipts) });
  }
  return blocks;
}

function eventsByName(): Map<string, AbiEvent> {
  const events = new Map<string, AbiEvent>();
  for (const [contract, abi] of Object.entries(abis as unknown as Record<string, Abi>)) {
    for (const item of abi) if (item.type === "event") events.set(`${contract}.${item.name}`, item);
  }
  return events;
}
