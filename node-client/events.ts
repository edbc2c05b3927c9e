import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { dockerContractAbi, escrowAbi, measureAbi, progressAbi } from "@ngpu/contracts-sdk/generated/abi";
import { addressesOf } from "@ngpu/contracts-sdk/generations";
import { type Address, decodeEventLog, getAbiItem, type Hex, numberToHex, pad, toEventSelector } from "viem";

/** A log as the chain returned it and the journal stores it. */
export type StoredLog = {
  address: Address;
  topics: [Hex, ...Hex[]];
  data: Hex;
  blockNumber: bigint;
  blockHash: Hex;
  logIndex: number;
};

/** The events of one node: its id is the second indexed argument of each. */
const followed = [
  getAbiItem({ abi: dockerContractAbi, name: "Assigned" }),
  getAbiItem({ abi: dockerContractAbi, name: "StartRequested" }),
  getAbiItem({ abi: dockerContractAbi, name: "StopRequested" }),
  getAbiItem({ abi: dockerContractAbi, name: "DeleteRequested" }),
  getAbiItem({ abi: dockerContractAbi, name: "StateChanged" }),
  getAbiItem({ abi: dockerContractAbi, name: "LeaseLost" }),
  getAbiItem({ abi: dockerContractAbi, name: "Released" }),
  getAbiItem({ abi: escrowAbi, name: "LeaseOpened" }),
  getAbiItem({ abi: escrowAbi, name: "LeaseClockSet" }),
  getAbiItem({ abi: escrowAbi, name: "Settled" }),
  getAbiItem({ abi: escrowAbi, name: "WaitCharged" }),
  getAbiItem({ abi: escrowAbi, name: "LeaseClosed" }),
  getAbiItem({ abi: progressAbi, name: "ProgressReported" }),
  getAbiItem({ abi: measureAbi, name: "MeasureRequested" }),
] as const;

/** The filter of the logs that a node follows. */
export function nodeLogFilter(deployment: Deployment, nodeId: number) {
  const names = ["DockerContract", "Escrow", "Progress", "Measure"] as const;
  const topics: (Hex | Hex[] | null)[] = [
    followed.map((event) => toEventSelector(event)),
    null,
    pad(numberToHex(nodeId), { size: 32 }),
  ];
  // Replaced contracts keep the leases and rounds that began on them.
  return { addresses: names.flatMap((name) => addressesOf(deployment, name)), topics };
}

/** The event of a followed log, typed. */
export function decodeLog(log: StoredLog) {
  return decodeEventLog({ abi: followed, topics: log.topics, data: log.data });
}
