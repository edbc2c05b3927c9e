import type { AssignmentState, Desired } from "@ngpu/contracts-sdk/enumNames";
import type { Hex } from "viem";

/** One replica's tenancy of a node. */
export type LeaseRef = { workspaceId: bigint; replica: number; lease: number };

/** `workspaceId/replica/lease`, as heartbeats and tunnels name a lease. */
export type LeaseKey = string;

export function leaseKey(ref: LeaseRef): LeaseKey {
  return `${ref.workspaceId}/${ref.replica}/${ref.lease}`;
}

/** What the workspace was when the lease was assigned: an update is for the leases after it. */
export type PublicationKey = string;

export function publicationKey(
  lease: Pick<Assignment, "workspaceId" | "assignedBlock" | "assignedLog">,
): PublicationKey {
  return `${lease.workspaceId}@${lease.assignedBlock}/${lease.assignedLog}`;
}

/** The lease with its fence: what tells it from a lease of the same number on another fork. */
export function fencedKey(ref: LeaseRef & { fence: Hex }): string {
  return `${leaseKey(ref)}/${ref.fence}`;
}

/** An assignment of this node, as its events on the present chain tell it. */
export type Assignment = LeaseRef & {
  fence: Hex;
  assignedBlock: bigint;
  assignedBlockHash: Hex;
  /** Place of the assignment's log in its block. */
  assignedLog: number;
  desired: Desired;
  /** Names the last order to run: crashes are counted anew under a new one. */
  order: string;
  /** What the chain has of our reports. */
  state: AssignmentState;
  detail: Hex;
  sequence: number;
  milestone: number;
  /** Marked lost; a report clears it. */
  lost: boolean;
  /** Released, or no longer paid for. */
  ended: boolean;
};
