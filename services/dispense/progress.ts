import type { AssignmentState, Desired, Milestone } from "@ngpu/contracts-sdk/enumNames";

/** A held lease on its way to running, or to its end. */
export type LeaseProgress = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  state: AssignmentState;
  desired: Desired;
  /** What the node said with its last report: for a failed lease, why. */
  detail: string | null;
  milestone: Milestone;
  /** Unix seconds of the blocks that brought the assignment, its present state or wish, and the milestone (null: none). */
  assignedAt: number;
  changedAt: number;
  milestoneAt: number | null;
  /** Unix seconds of the last live progress, which never goes to the chain; null: none. */
  liveAt: number | null;
  /** A lost exclusive lease cannot be released before this (Unix seconds); null: at once. */
  releasableAt: number | null;
};

/** Seconds that a node has for each part of a lease's life. */
export type ProgressDeadlines = {
  /** From the assignment to the first milestone. */
  accept: number;
  /** Without any sign of a download going on. */
  stall: number;
  /** From the assignment to the verified image. */
  download: number;
  /** From the verified image to Ready. */
  ready: number;
  /** From Ready, with the start ordered, to Running. */
  start: number;
  /** From Failed to whatever the node's own further try brings. */
  retry: number;
  /** From the order to delete to the report of it. */
  delete: number;
};

/** `delete` asks the node to let go; `release` takes the lease from it. The reason is kept. */
export type Replacement = { action: "delete" | "release"; reason: string };

/** Whether a node has had its chance with a lease; null leaves it. */
export function decideReplacement(
  lease: LeaseProgress,
  now: number,
  deadlines: ProgressDeadlines,
): Replacement | null {
  if (lease.releasableAt !== null && now < lease.releasableAt) return null;
  const isOver = (since: number, name: keyof ProgressDeadlines) => now - since > deadlines[name];
  if (lease.desired === "delete") {
    if (!isOver(lease.changedAt, "delete")) return null;
    return { action: "release", reason: `not deleted within ${deadlines.delete} s` };
  }
  if (lease.state === "failed") {
    if (!isOver(lease.changedAt, "retry")) return null;
    return { action: "release", reason: `the node reported a failure: ${failureOf(lease.detail)}` };
  }
  const missed = missedDeadline(lease, isOver);
  if (missed === null) return null;
  return { action: "delete", reason: `${missed.what} within ${deadlines[missed.name]} s` };
}

function missedDeadline(
  lease: LeaseProgress,
  isOver: (since: number, name: keyof ProgressDeadlines) => boolean,
): { name: keyof ProgressDeadlines; what: string } | null {
  const { assignedAt, changedAt, milestoneAt, liveAt } = lease;
  if (lease.state === "ready" && lease.desired === "run") {
    return isOver(changedAt, "start") ? { name: "start", what: "not running" } : null;
  }
  if (lease.state !== "assigned") return null;
  switch (lease.milestone) {
    case "none":
      return isOver(assignedAt, "accept") ? { name: "accept", what: "not accepted" } : null;
    case "accepted":
    case "downloading":
      if (isOver(Math.max(assignedAt, milestoneAt ?? 0, liveAt ?? 0), "stall")) {
        return { name: "stall", what: "no download progress" };
      }
      return isOver(assignedAt, "download") ? { name: "download", what: "not downloaded" } : null;
    case "downloaded":
    case "verified":
      return isOver(milestoneAt ?? assignedAt, "ready") ? { name: "ready", what: "not ready" } : null;
  }
}

/** The reason that stands as ASCII in a failed report's 32 bytes. */
function failureOf(detail: string | null): string {
  const text = Buffer.from((detail ?? "").replace(/^0x/, ""), "hex").toString("latin1");
  const printable = text.replace(/[^\x20-\x7e]/g, "").trim();
  return printable === "" ? "no reason given" : printable;
}
