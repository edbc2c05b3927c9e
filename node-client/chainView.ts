import { assignmentStates } from "@ngpu/contracts-sdk/enumNames";
import type { Hex } from "viem";
import { decodeLog, type StoredLog } from "./events.ts";
import { afterEvent, keptUntil, type LeaseMoney } from "./leaseMoney.ts";
import { type Assignment, type LeaseKey, type LeaseRef, leaseKey } from "./leases.ts";

/** The state of this node on the canonical chain. */
export type ChainView = {
  assignments: Assignment[];
  /** Requested measurement rounds, by id, with the Unix time at which each closes. */
  rounds: Map<bigint, number>;
};

const noDetail = `0x${"00".repeat(32)}` as Hex;

/**
 * Folds the node's logs, in chain order, into the current view. Pure: after a reorg, the same fold over the remaining logs
 * yields the view of the new chain.
 */
export function viewOf(logs: Iterable<StoredLog>): ChainView {
  const leases = new Map<LeaseKey, Assignment>();
  const moneyOf = new Map<LeaseKey, LeaseMoney>();
  const rounds = new Map<bigint, number>();
  for (const log of logs) {
    const event = decodeLog(log);
    if (event.eventName === "MeasureRequested") {
      rounds.set(event.args.roundId, event.args.closesAt);
      continue;
    }
    const key = leaseKey(event.args);
    switch (event.eventName) {
      case "Assigned":
        leases.set(key, assigned(event.args, log));
        break;
      case "LeaseOpened":
      case "LeaseClockSet":
      case "Settled":
      case "WaitCharged": {
        // A lease is opened before its assignment is logged.
        const money = afterEvent(moneyOf.get(key), event);
        if (money !== undefined) moneyOf.set(key, money);
        break;
      }
      default: {
        const lease = leases.get(key);
        if (lease !== undefined) change(lease, log);
      }
    }
  }
  for (const [key, lease] of leases) lease.keptUntil = keptUntil(moneyOf.get(key));
  return { assignments: newest([...leases.values()]), rounds };
}

function assigned(args: LeaseRef & { fence: Hex; start: boolean }, log: StoredLog): Assignment {
  return {
    workspaceId: args.workspaceId,
    replica: args.replica,
    lease: args.lease,
    fence: args.fence,
    assignedBlock: log.blockNumber,
    assignedBlockHash: log.blockHash,
    assignedLog: log.logIndex,
    desired: args.start ? "run" : "hold",
    order: orderOf(log),
    state: "assigned",
    detail: noDetail,
    sequence: 0,
    milestone: 0,
    lost: false,
    ended: false,
    keptUntil: Number.POSITIVE_INFINITY,
  };
}

function change(lease: Assignment, log: StoredLog): void {
  const { eventName, args } = decodeLog(log);
  switch (eventName) {
    case "StartRequested":
      lease.desired = "run";
      lease.order = orderOf(log);
      break;
    case "StopRequested":
      lease.desired = "stop";
      break;
    case "DeleteRequested":
      lease.desired = "delete";
      break;
    case "StateChanged":
      lease.state = assignmentStates[args.state] ?? "none";
      lease.detail = args.detail;
      lease.sequence = args.sequence;
      lease.lost = false;
      break;
    case "LeaseLost":
      lease.lost = true;
      break;
    case "ProgressReported":
      lease.milestone = args.milestone;
      break;
    case "Released":
    case "LeaseClosed":
      lease.ended = true;
      break;
  }
}

function orderOf(log: StoredLog): string {
  return `${log.blockHash.slice(0, 18)}:${log.logIndex}`;
}

/** A node acts only on the highest lease of a replica. */
function newest(assignments: Assignment[]): Assignment[] {
  const byReplica = new Map<string, Assignment>();
  for (const item of assignments) {
    const key = `${item.workspaceId}/${item.replica}`;
    const other = byReplica.get(key);
    if (other === undefined || other.lease < item.lease) byReplica.set(key, item);
  }
  return [...byReplica.values()];
}
