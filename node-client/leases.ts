import type { AssignmentState, Desired } from "@ngpu/contracts-sdk/enumNames";
import type { Hex } from "viem";

/** A lease: its workspace, replica and number. */
export type LeaseRef = { workspaceId: bigint; replica: number; lease: number };

/** `workspaceId/replica/lease`: the form in heartbeats and tunnels. */
export type LeaseKey = string;

export function leaseKey(ref: LeaseRef): LeaseKey {
  return `${ref.workspaceId}/${ref.replica}/${ref.lease}`;
}

/** Identifies a workspace as of a lease's assignment: an update applies to later leases only. */
export type PublicationKey = string;

export function publicationKey(
  lease: Pick<Assignment, "workspaceId" | "assignedBlock" | "assignedLog">,
): PublicationKey {
  return `${lease.workspaceId}@${lease.assignedBlock}/${lease.assignedLog}`;
}

/** The lease with its fence, which distinguishes it from a lease of the same number on another fork. */
export function fencedKey(ref: LeaseRef & { fence: Hex }): string {
  return `${leaseKey(ref)}/${ref.fence}`;
}

/** An assignment of this node, from its events on the canonical chain. */
export type Assignment = LeaseRef & {
  fence: Hex;
  assignedBlock: bigint;
  assignedBlockHash: Hex;
  /** Index of the assignment's log in its block. */
  assignedLog: number;
  desired: Desired;
  /** Identifies the last order to run: starts are counted per order. */
  order: string;
  /** The last report on the chain: its state, detail and sequence. */
  state: AssignmentState;
  detail: Hex;
  sequence: number;
  milestone: number;
  /** Marked lost. A report clears it. */
  lost: boolean;
  /** Released, or no longer paid for. */
  ended: boolean;
  /** Until when its payer pays for keeping a container that it ordered to stop, Unix seconds. */
  keptUntil: number;
};
