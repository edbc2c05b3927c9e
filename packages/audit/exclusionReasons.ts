import { releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { countPresence } from "@ngpu/protocol/presence";
import { type ChainLog, isOnline, number } from "@ngpu/rewards/chainLogs";
import { presenceOf } from "@ngpu/rewards/logFacts";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import { decodeErrorResult, type Hex } from "viem";
import { isOf } from "./priceLimit.ts";

/** An assignment, and the time of its decision. */
export type Decided = {
  assigned: ChainLog;
  /** Unix seconds, of the block of the decision. */
  time: number;
  slotSeconds: number;
};

/** Endings of a lease after which its node is not tried again for some time. */
const failures = new Set<string>(["lost", "late", "silent", "replaced"]);

/** Errors of an assignment that its node causes, of ComputeNode. Each names the node first. */
const nodeErrors = new Set([
  "NodeCapacityExceeded",
  "NodeUnfit",
  "PriceAboveLimit",
  "NodeNotAccepting",
  "NodeUnknown",
]);

/** Seconds after the decision within which a node that was lost at it is marked offline. */
export const offlineSeconds = 600;

const isBefore = ({ block, logIndex }: ChainLog, log: ChainLog) =>
  log.block < block || (log.block === block && log.logIndex < logIndex);

/** The logs before another. */
const logsBefore = (logs: readonly ChainLog[], log: ChainLog) => logs.filter((one) => isBefore(log, one));

/**
 * Why the chain says that a placement excluded a node; null: it does not say so. An earlier lease of the replica failed on it, it
 * refused an assignment, or it was absent about the time of the decision.
 *
 * @param logs Every log, those after the assignment too. Those of status changes with their times.
 */
export function exclusionReason(logs: readonly ChainLog[], decided: Decided, nodeId: number): string | null {
  const before = logsBefore(logs, decided.assigned);
  return failureOf(before, decided, nodeId) ?? refusalOf(before, nodeId) ?? absenceOf(logs, decided, nodeId);
}

function failureOf(before: readonly ChainLog[], { assigned }: Decided, nodeId: number): string | null {
  const replica = {
    workspaceId: assigned.args.workspaceId as bigint,
    replica: number(assigned.args.replica),
  };
  const own = before.filter((log) => isOf(replica, log) && number(log.args.nodeId) === nodeId);
  for (const { name, args } of own) {
    if (name === "DeleteRequested") return `Lease ${leaseKey(args)} was ordered deleted on it.`;
    if (name !== "Released") continue;
    const reason = releaseReasons[number(args.reason)] ?? "";
    if (failures.has(reason)) return `Lease ${leaseKey(args)} ended on it as ${reason}.`;
  }
  return null;
}

function refusalOf(before: readonly ChainLog[], nodeId: number): string | null {
  for (const refused of before) {
    const error = refusedAssignment(refused);
    if (error?.nodeId === nodeId) return `It refused an assignment in block ${refused.block}: ${error.name}.`;
  }
  return null;
}

/** The node's error of an assignment that the chain refused; undefined for other logs. */
export function refusedAssignment({
  contract,
  name,
  args,
}: ChainLog): { name: string; nodeId: number } | undefined {
  if (name !== "ItemRefused" || contract !== "DockerContract") return undefined;
  try {
    const error = decodeErrorResult({ abi: computeNodeAbi, data: args.reason as Hex });
    return nodeErrors.has(error.errorName)
      ? { name: error.errorName, nodeId: number(error.args?.[0]) }
      : undefined;
  } catch {
    return undefined;
  }
}

function absenceOf(
  logs: readonly ChainLog[],
  { assigned, time, slotSeconds }: Decided,
  nodeId: number,
): string | null {
  const left = logs.find(
    ({ name, args, block, time: at }) =>
      name === "NodeStatusChanged" &&
      number(args.nodeId) === nodeId &&
      !isOnline(args.status) &&
      (block <= assigned.block ? at > time : at <= time + offlineSeconds),
  );
  if (left !== undefined) return `It left in block ${left.block}.`;
  const slot = Math.floor(time / slotSeconds);
  const absent: number[] = [];
  const newest = logs.at(-1)?.block ?? 0n;
  countPresence(presenceOf(logs, newest, { firstSlot: slot - 1, endSlot: slot + 2 }), (absentee, at) => {
    if (absentee === nodeId) absent.push(at);
  });
  return absent[0] === undefined ? null : `It was absent in slot ${absent[0]}.`;
}
