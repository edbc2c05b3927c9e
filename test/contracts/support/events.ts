import { abis } from "@ngpu/contracts-sdk/abis";
import { type Abi, parseEventLogs, type TransactionReceipt } from "viem";

// Contracts share names of events, always with the same arguments.
const events = (Object.values(abis) as Abi[]).flat().filter((item) => item.type === "event");

/** Every event of a transaction, in order: its contract, its name and all its arguments. */
export function eventsOf(
  receipt: TransactionReceipt,
  contracts: Record<string, { address: string }>,
): { of: string; name: string; args: unknown }[] {
  const names = new Map(
    Object.entries(contracts).map(([name, { address }]) => [address.toLowerCase(), name] as const),
  );
  return parseEventLogs({ abi: events as Abi, logs: receipt.logs }).map((log) => ({
    of: names.get(log.address.toLowerCase()) ?? log.address,
    name: log.eventName as string,
    args: log.args,
  }));
}
