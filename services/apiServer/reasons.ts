import { type ReasonCode, reasonText } from "@ngpu/protocol/reasons/reasons";
import { failureText } from "./decide.ts";
import type { EventFacts, LeaseReasonFacts, ReasonRows } from "./store/reasons.ts";
import type { PlacementRow, ReplicaRow, WorkspaceRow } from "./store/workspaces.ts";

/** Why a workspace or a replica does not run. */
export type Reason = {
  code: ReasonCode;
  details: Readonly<Record<string, unknown>>;
  /** Unix seconds. */
  since: number;
};

/** What is known of one replica. */
export type ReplicaFacts = {
  row: ReplicaRow | undefined;
  placement: PlacementRow | undefined;
  lease: LeaseReasonFacts | undefined;
  /** The last event of its node, and of the market. */
  events: EventFacts[];
};

type WorkspaceFacts = Pick<WorkspaceRow, "status" | "stopped" | "expires_at" | "authorization_id"> & {
  now: number;
  changedAt: number;
};

/** Why the whole workspace does not run; undefined: its replicas decide. */
function workspaceReason({
  status,
  expires_at: expiresAt,
  now,
  changedAt,
}: WorkspaceFacts): Reason | undefined {
  if (status === "closed") return { code: "closed", details: {}, since: changedAt };
  if (expiresAt === 0 || now < expiresAt) return undefined;
  const details = { expiresAt: new Date(expiresAt * 1000).toISOString() };
  return { code: "expired", details, since: expiresAt };
}

/** Why a replica does not run; null when it runs. Pure. */
export function replicaReason(workspace: WorkspaceFacts, facts: ReplicaFacts): Reason | null {
  const reason = workspaceReason(workspace);
  if (reason !== undefined) return reason;
  const { row, lease } = facts;
  const { stopped } = workspace;
  const since = lease?.since ?? workspace.changedAt;
  if (row === undefined) {
    return stopped ? { code: "stopped", details: {}, since } : unplacedReason(workspace, facts, since);
  }
  const isHeld = row.release_reason === null;
  if (stopped && lease?.closeReason === "lock_spent") return { code: "lock_spent", details: {}, since };
  if (stopped || (isHeld && row.desired === "stop")) return { code: "stopped", details: {}, since };
  return isHeld ? heldReason(row, facts, since) : unplacedReason(workspace, facts, since);
}

function heldReason(row: ReplicaRow, { lease, events }: ReplicaFacts, since: number): Reason | null {
  if (lease !== undefined && lease.absentSince !== null) {
    return { code: "node_lost", details: { signal: lease.signal }, since: lease.absentSince };
  }
  const own = events.filter((one) => one.lease === row.lease);
  const reported = own.find(({ source }) => source === "node");
  if (reported !== undefined) return ofEvent(reported);
  const replaced = own.find(({ code }) => code === "replica_replaced");
  if (row.desired === "delete") {
    return replaced === undefined ? { code: "replica_replaced", details: {}, since } : ofEvent(replaced);
  }
  if (row.state === "running") return null;
  if (row.state === "failed") return { ...failure(row.detail), since };
  // A lease that is stopped before its image is there starts with the download.
  if ((row.state === "assigned" || row.state === "stopped") && row.milestone !== "verified") {
    return {
      code: "image_downloading",
      details: row.percent === null ? {} : { percent: row.percent },
      since,
    };
  }
  return { code: "container_starting", details: {}, since };
}

/** Of a replica without a lease: the outcome of its newest placement, else why its last lease ended. */
function unplacedReason(workspace: WorkspaceFacts, facts: ReplicaFacts, since: number): Reason {
  const { row, placement, lease, events } = facts;
  const market = events.find(({ source }) => source === "market");
  if (placement !== undefined && placement.requested_at.getTime() / 1000 >= since - clockTolerance) {
    const at = placement.requested_at.getTime() / 1000;
    if (placement.status === "impossible") {
      const { counts: refused, ...rest } = (placement.refusals ?? {}) as { counts?: unknown };
      const first = market?.code === "no_node_fits" ? Math.max(market.firstAt, since) : at;
      return { code: "no_node_fits", details: { refused, ...rest }, since: first };
    }
    if (placement.status === "refused") {
      if (market !== undefined && refusals.has(market.code)) return ofEvent(market);
      return { code: "assignment_refused", details: { refusal: placement.refusal }, since: at };
    }
  }
  if (row === undefined) return { code: "placing", details: {}, since };
  if (row.release_reason === "unfunded" && lease?.closeReason !== "lock_spent") {
    const authorizationId = workspace.authorization_id;
    return lease?.closeReason === "authorization_ended"
      ? { code: "authorization_ended", details: { authorizationId }, since }
      : { code: "balance_too_low", details: {}, since };
  }
  if (market !== undefined && market.lease === row.lease) return ofEvent(market);
  if (row.release_reason === "lost") return { code: "node_lost", details: {}, since };
  if (row.release_reason === "late" || row.release_reason === "silent") {
    return { code: "replica_replaced", details: { why: row.release_reason }, since };
  }
  return { code: "placing", details: {}, since };
}

/** Seconds by which the chain's clock and the database's may differ. */
const clockTolerance = 15;

const refusals: ReadonlySet<ReasonCode> = new Set([
  "assignment_refused",
  "authorization_ended",
  "balance_too_low",
]);

const ofEvent = ({ code, details, lastAt }: EventFacts): Reason => ({ code, details, since: lastAt });

/** The reason in a failed report on the chain, of a node that says no more. */
function failure(detail: string | null): Pick<Reason, "code" | "details"> {
  const text = detail === null ? "" : failureText(detail);
  const exitCode = /^exit_(\d{1,3})$/.exec(text)?.[1];
  if (exitCode !== undefined) return { code: "container_exited", details: { exitCode: Number(exitCode) } };
  return { code: failures[text] ?? "container_start_failed", details: text === "" ? {} : { message: text } };
}

const failures: Readonly<Record<string, ReasonCode>> = {
  config_invalid: "config_invalid",
  config_mismatch: "config_invalid",
  digest_mismatch: "image_digest_mismatch",
  disk_full: "disk_full",
  gpu_lost: "gpu_lost",
  health_timeout: "health_failing",
  image_late: "image_pull_failed",
  image_unavailable: "image_pull_failed",
  volumes_exceeded: "image_volumes_exceeded",
};

/** Reasons that pass by themselves: another replica's says more. */
const passing: ReadonlySet<ReasonCode> = new Set(["container_starting", "image_downloading", "placing"]);

/** Why a workspace does not run, from the reasons of its replicas; null when one runs. */
export function reasonOfWorkspace(replicas: readonly (Reason | null)[]): Reason | null {
  if (replicas.includes(null)) return null;
  const known = replicas.filter((one) => one !== null);
  return known.find(({ code }) => !passing.has(code)) ?? known[0] ?? null;
}

/** The reasons of all replicas of a workspace, by number. */
export function replicaReasons(
  row: WorkspaceRow,
  read: { rows: ReasonRows; replicas: ReplicaRow[]; placements: PlacementRow[]; now: number },
): (Reason | null)[] {
  const { rows, replicas, placements, now } = read;
  const byReplica = <Item extends { replica: number }>(items: readonly Item[]) =>
    new Map(items.map((item) => [item.replica, item]));
  const [leases, held, placed] = [byReplica(rows.leases), byReplica(replicas), byReplica(placements)];
  const events = Map.groupBy(rows.events, ({ replica }) => replica);
  const workspace = { ...row, now, changedAt: rows.changedAt };
  return Array.from({ length: row.replicas }, (_one, number) =>
    replicaReason(workspace, {
      row: held.get(number),
      placement: placed.get(number),
      lease: leases.get(number),
      events: events.get(number) ?? [],
    }),
  );
}

/** A reason as the API shows it. */
export function shownReason(reason: Reason | null) {
  if (reason === null) return null;
  const { code, details, since } = reason;
  const { message, hint } = reasonText(code);
  return { code, message, hint, details, since: new Date(since * 1000).toISOString() };
}
