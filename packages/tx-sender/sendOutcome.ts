import { type AbiName, type Abis, abis, type ChainReason, decodeReason } from "@ngpu/contracts-sdk/abis";
import {
  type Abi,
  type Address,
  type Hex,
  type ParseEventLogsReturnType,
  parseEventLogs,
  type TransactionReceipt,
} from "viem";

export type SendResult<Name extends AbiName> = {
  hash: Hex;
  receipt: TransactionReceipt;
  /** The events of the called contract. */
  events: ParseEventLogsReturnType<Abis[Name]>;
  /** Items of a batch that the contract refused, by index in the batch. */
  refusals: { index: number; error: ChainReason }[];
};

/** Reads from a receipt what the contract at an address did. */
export function outcomeOf(contract: AbiName, at: Address, receipt: TransactionReceipt): SendResult<AbiName> {
  const address = at.toLowerCase();
  const logs = receipt.logs.filter((log) => log.address.toLowerCase() === address);
  const events = parseEventLogs({ abi: abis[contract] as Abi, logs });
  const refusals = events.flatMap((event) => {
    if (event.eventName !== "ItemRefused") return [];
    const { index, reason } = event.args as unknown as { index: bigint; reason: Hex };
    return [{ index: Number(index), error: decodeReason(reason) }];
  });
  return {
    hash: receipt.transactionHash,
    receipt,
    refusals,
    events: events as unknown as SendResult<AbiName>["events"],
  };
}
