import type { AssignmentState, Desired, Milestone } from "@ngpu/contracts-sdk/enumNames";

/** A held lease that is not running yet, or is being deleted. */
export type LeaseProgress = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  state: AssignmentState;
  desired: Desired;
  /** Detail of the node's last report; of a failed lease: the reason. */
  detail: string | null;
  milestone: Milestone;
  /** Unix seconds of the blocks of the assignment, its current state or order, and its milestone (null: none). */
  assignedAt: number;
  changedAt: number;
  milestoneAt: number | null;
  /** Unix seconds of the last live progress, which is not on the chain; null: none. */
  liveAt: number | null;
  /** Earliest release of a lost exclusive lease, Unix seconds; null: no restriction. */
  releasableAt: number | null;
};

/** Seconds that a node has for each phase of a lease. */
export type ProgressDeadlines = {
  /** From the assignment to the first milestone. */
  accept: number;
  /** Without download progress. */
  stall: number;
  /** From the assignment to the verified image. */
  download: number;
  /** From the verified image to ready. */
  ready: number;
  /** From ready, with a start order, to running. */
  start: number;
  /** From failed to the result of the node's own retry. */
  retry: number;
  /** From the delete order to the report of the deletion. */
  delete: number;
};

/** `delete` orders the node to delete the replica; `release` releases the lease without the node. The reason is stored. */
export type Replacement = { action: "delete" | "release"; reason: string };

/** Decides whether a lease is replaced because the node exceeded a deadline; null: not yet. */
export function decideReplacement(
  lease: LeaseProgress,
  now: number,
  deadlines: ProgressDeadlines,
): Replacement | null {
  if (lease.releasableAt !== null && now < lease.releasableAt) return null;
  const isExceeded = (since: number, name: keyof ProgressDeadlines) => now - since > deadlines[name];
  if (lease.desired === "delete") {
    if (!isExceeded(lease.changedAt, "delete")) return null;
    return { action: "release", reason: `not deleted within ${deadlines.delete} s` };
  }
  if (lease.state === "failed") {
    if (!isExceeded(lease.changedAt, "retry")) return null;
    return { action: "release", reason: `the node reported a failure: ${failureOf(lease.detail)}` };
  }
  const missed = missedDeadline(lease, isExceeded);
  if (missed === null) return null;
  return { action: "delete", reason: `${missed.what} within ${deadlines[missed.name]} s` };
}

function missedDeadline(
  lease: LeaseProgress,
  isExceeded: (since: number, name: keyof ProgressDeadlines) => boolean,
): { name: keyof ProgressDeadlines; what: string } | null {
  const { assignedAt, changedAt, milestoneAt, liveAt } = lease;
  if (lease.state === "ready" && lease.desired === "run") {
    return isExceeded(changedAt, "start") ? { name: "start", what: "not running" } : null;
  }
  if (lease.state !== "assigned") return null;
  switch (lease.milestone) {
    case "none":
      return isExceeded(assignedAt, "accept") ? { name: "accept", what: "not accepted" } : null;
    case "accepted":
    case "downloading":
      if (isExceeded(Math.max(assignedAt, milestoneAt ?? 0, liveAt ?? 0), "stall")) {
        return { name: "stall", what: "no download progress" };
      }
      return isExceeded(assignedAt, "download") ? { name: "download", what: "not downloaded" } : null;
    case "downloaded":
    case "verified":
      return isExceeded(milestoneAt ?? assignedAt, "ready") ? { name: "ready", what: "not ready" } : null;
  }
}

/** The ASCII reason in the 32 bytes of a failed report. */
function failureOf(detail: string | null): string {
  const text = Buffer.from((detail ?? "").replace(/^0x/, ""), "hex").toString("latin1");
  const printable = text.replace(/[^\x20-\x7e]/g, "").trim();
  return printable === "" ? "no reason given" : printable;
}
