import { maxListedNodes, unpackNodes } from "@ngpu/protocol/placement/nodeList";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import type { Hex } from "viem";
import { refusedAssignment } from "./exclusionReasons.ts";

/** Finds the logs that an assignment's audit looks at, without looking at all of them for each. */
export type AssignmentLogs = {
  /** Takes the next log of the chain. */
  take(log: ChainLog): void;
  /**
   * The logs that an assignment depends on, besides the state of the nodes, in the chain's order: those of its workspace, the refused
   * assignments, and the presence and status of the nodes that it excluded.
   *
   * @param time Of the decision, Unix seconds.
   */
  of(assigned: ChainLog, time: number, slotSeconds: number): ChainLog[];
  /** The price of a node before a log; undefined: it was not registered. */
  priceBefore(nodeId: number, log: ChainLog): bigint | undefined;
};

export function createAssignmentLogs(): AssignmentLogs {
  const all: ChainLog[] = [];
  const byWorkspace = new Map<bigint, ChainLog[]>();
  const refusals: ChainLog[] = [];
  const statuses = new Map<number, ChainLog[]>();
  const challenges = new Map<number, ChainLog[]>();
  const bySlot = new Map<number, ChainLog[]>();
  const prices = new Map<number, ChainLog[]>();
  return {
    take: (log) => {
      const { name, args } = log;
      all.push(log);
      if (refusedAssignment(log) !== undefined) {
        refusals.push(log);
        return;
      }
      if (name === "NodeStatusChanged") add(statuses, number(args.nodeId), log);
      else if (name === "PresenceChallenged") add(challenges, number(args.nodeId), log);
      else if (name === "HeartbeatsCommitted" || name === "HeartbeatsDisputed")
        add(bySlot, number(args.slot), log);
      else if (name === "NodeRegistered" || name === "NodeSpecUpdated") add(prices, number(args.nodeId), log);
      if (log.contract === "DockerContract" && args.workspaceId !== undefined)
        add(byWorkspace, amount(args.workspaceId), log);
    },
    of: (assigned, time, slotSeconds) => {
      const excluded = unpackNodes(assigned.args.excluded as Hex) ?? [];
      // One that lists as many as it may excludes further nodes: any may have a reason.
      if (excluded.length >= maxListedNodes) return [...all];
      const slot = Math.floor(time / slotSeconds);
      return [
        ...(byWorkspace.get(amount(assigned.args.workspaceId)) ?? []),
        ...refusals,
        ...excluded.flatMap((nodeId) => [...(statuses.get(nodeId) ?? []), ...(challenges.get(nodeId) ?? [])]),
        ...(excluded.length === 0 ? [] : [slot - 1, slot, slot + 1].flatMap((at) => bySlot.get(at) ?? [])),
      ].sort(inOrder);
    },
    priceBefore: (nodeId, log) => {
      const last = (prices.get(nodeId) ?? []).findLast((one) => inOrder(one, log) < 0);
      return last === undefined ? undefined : amount(last.args.pricePerSecond);
    },
  };
}

function add<Key>(lists: Map<Key, ChainLog[]>, key: Key, log: ChainLog): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [log]);
  else list.push(log);
}

const inOrder = (a: ChainLog, b: ChainLog) =>
  a.block === b.block ? a.logIndex - b.logIndex : a.block < b.block ? -1 : 1;
