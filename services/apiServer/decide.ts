import type { AssignmentState, Desired, Milestone } from "@ngpu/contracts-sdk/enumNames";
import { hasStopped, scalingIn } from "@ngpu/protocol/scaling";
import type { workspaceStatuses } from "./schemas/workspaces.ts";

export type LeaseFacts = {
  authorizationId: string;
  rate: bigint;
  running: boolean;
  closed: boolean;
  /** Unix seconds of the last settlement or clock change. */
  clockSince: number;
  /** What it paid, and what was burned of its lock. */
  spent: bigint;
  /** What is left of its lock; zero once it is closed. */
  locked: bigint;
};

export type AuthorizationFacts = { id: string; total: bigint; expiry: number; leases: LeaseFacts[] };

export type AuthorizationBalance = {
  id: string;
  spent: bigint;
  owed: bigint;
  /** Set aside for open leases. */
  locked: bigint;
  remaining: bigint;
  rateInUse: bigint;
};

/** The amounts spent and owed under an authorization at `now` (Unix seconds), computed as Escrow settles them. */
export function authorizationBalance(facts: AuthorizationFacts, now: number): AuthorizationBalance {
  const spent = facts.leases.reduce((sum, lease) => sum + lease.spent, 0n);
  const open = facts.leases.filter((lease) => !lease.closed);
  const until = Math.min(now, facts.expiry);
  const due = open
    .filter((lease) => lease.running)
    .reduce((sum, lease) => sum + lease.rate * BigInt(Math.max(0, until - lease.clockSince)), 0n);
  const rest = atLeastZero(facts.total - spent);
  const owed = smaller(due, rest);
  const rateInUse = open.reduce((sum, lease) => sum + lease.rate, 0n);
  const locked = open.reduce((sum, lease) => sum + lease.locked, 0n);
  return { id: facts.id, spent, owed, locked, remaining: atLeastZero(rest - owed - locked), rateInUse };
}

/**
 * Whether the delegate may publish under an authorization now.
 *
 * @param context.generation Generation of the current escrow.
 */
export function isUsable(
  row: { revoked: boolean; expiry: number; delegate: string; generation: number },
  { now, delegate, generation }: { now: number; delegate: string; generation: number },
): boolean {
  const isOurs = row.delegate === delegate.toLowerCase() && row.generation === generation;
  return isOurs && !row.revoked && row.expiry >= now;
}

type AccountTotals = Record<"deposited" | "withdrawn" | "settled" | "refunded" | "burned", bigint>;

/** Balance of an account before its debts are deducted. */
export function balanceOf({ deposited, withdrawn, settled, refunded, burned }: AccountTotals): bigint {
  return atLeastZero(deposited + refunded - withdrawn - settled - burned);
}

/**
 * The amount an account can withdraw now: its balance without the locks and the debts of its leases. The debt is capped at the
 * balance: a settlement above it closes the lease.
 */
export function refundable(
  account: AccountTotals,
  owed: bigint,
  locked = 0n,
): { owed: bigint; locked: bigint; refundable: bigint } {
  const balance = balanceOf(account);
  const due = smaller(owed, balance);
  return { owed: due, locked, refundable: atLeastZero(balance - due - locked) };
}

const atLeastZero = (value: bigint) => (value < 0n ? 0n : value);
const smaller = (a: bigint, b: bigint) => (b > a ? a : b);

export type ReplicaFacts = {
  state: AssignmentState;
  desired: Desired;
  /** Whether the lease is not released. */
  held: boolean;
  milestone: Milestone | null;
};

export type WorkspaceStatus = (typeof workspaceStatuses)[number];

/** The status of a workspace: the furthest state that any of its replicas has reached. */
export function workspaceStatus(facts: {
  status: "open" | "closed";
  stopped: boolean;
  /** Unix seconds; 0: never. */
  expiresAt: number;
  now: number;
  /** Replicas that are to run. */
  wanted: number;
  replicas: ReplicaFacts[];
}): WorkspaceStatus {
  if (facts.status === "closed") return "closed";
  if (facts.expiresAt !== 0 && facts.now >= facts.expiresAt) return "expired";
  const held = facts.replicas.filter((replica) => replica.held);
  if (facts.stopped) return held.some(isStarted) ? "running" : "stopped";
  if (held.length === 0) return facts.wanted === 0 ? "idle" : "pending";
  if (held.some(isStarted)) return "running";
  const wanted = held.filter((replica) => replica.desired === "run" || replica.desired === "hold");
  if (wanted.some((replica) => replica.state === "ready" || replica.milestone === "verified")) {
    return wanted.every((replica) => replica.state === "failed") ? "failed" : "starting";
  }
  if (wanted.some(({ state }) => state === "assigned" || state === "stopped")) return "distributing";
  return held.some((replica) => replica.state === "failed") ? "failed" : "stopped";
}

const isStarted = ({ state, desired }: ReplicaFacts) => state === "running" && desired !== "stop";

/** Whether a workspace may serve requests: it is not closed and has not expired. */
export function isOpen(row: { status: "open" | "closed"; expires_at: number }, now: number): boolean {
  return row.status === "open" && (row.expires_at === 0 || now < row.expires_at);
}

/** How long a request waits for a replica where their number follows the requests, seconds; undefined: it is refused. */
export function coldStartSeconds(row: { config: string; stopped: boolean }): number | undefined {
  const scaling = row.stopped ? undefined : scalingIn(row.config);
  return scaling === undefined || hasStopped(scaling, Date.now() / 1000) ? undefined : scaling.waitSeconds;
}

/** The mapped ports in a running report: big-endian uint16, in the order of the configured ports. */
export function mappedPorts(
  detail: string,
  containerPorts: number[],
): { containerPort: number; port: number }[] {
  const digits = detail.replace(/^0x/, "");
  return containerPorts.flatMap((containerPort, index) => {
    const port = Number.parseInt(digits.slice(4 * index, 4 * index + 4), 16);
    return Number.isInteger(port) && port > 0 ? [{ containerPort, port }] : [];
  });
}

/** The reason in a failed report: ASCII, padded with zeros. */
export function failureText(detail: string): string {
  return Buffer.from(detail.replace(/^0x/, ""), "hex").toString("latin1").replace(/\0+$/, "");
}

/** Parses an OpenAI model name: `7`, `ws-7` or `chat`, optionally followed by `/<model of the container>`. */
export function parseModel(model: string): { id: string } | { name: string } | undefined {
  const [head = ""] = model.split("/", 1);
  const id = /^(?:ws-)?(\d{1,20})$/.exec(head)?.[1];
  if (id !== undefined) return { id };
  return head === "" ? undefined : { name: head };
}

/** The model name passed to the container: the part after the workspace. Undefined: the container uses its own model. */
export function innerModel(model: string): string | undefined {
  const slash = model.indexOf("/");
  return slash === -1 ? undefined : model.slice(slash + 1);
}

export type LeafFacts = { epoch: string; cumulative: bigint; proof: string; activatesAt: number };

/** What an account can claim at `now`: under the newest active root with a leaf for it, else under the newest pending one. */
export function rewardOf(leaves: LeafFacts[], claimed: bigint, now: number) {
  const newest = leaves[0];
  const active = leaves.find((leaf) => leaf.activatesAt <= now);
  const chosen = active ?? newest;
  return {
    epoch: chosen?.epoch ?? null,
    cumulative: chosen?.cumulative ?? 0n,
    proof: chosen?.proof ?? "0x",
    activatesAt: chosen?.activatesAt ?? null,
    active: active !== undefined,
    claimable: atLeastZero((active?.cumulative ?? 0n) - claimed),
    pending: atLeastZero((newest?.cumulative ?? 0n) - bigger(active?.cumulative ?? 0n, claimed)),
  };
}

/**
 * Earliest time at which a bond is returned, in Unix seconds: when no slot of the last required day can change any more.
 *
 * @param bond.throughDay The last counted day; null: no day is counted yet, and days count from the day of `now`.
 */
export function bondReturnsAt(
  bond: { days: number; daysNeeded: number; throughDay: number | null },
  periods: { daySeconds: number; heartbeatWindowSeconds: number },
  now: number,
): number {
  const counted = bond.throughDay ?? Math.floor(now / periods.daySeconds) - 1;
  const lastDay = counted + Math.max(1, bond.daysNeeded - bond.days);
  return (lastDay + 1) * periods.daySeconds + periods.heartbeatWindowSeconds;
}

const bigger = (a: bigint, b: bigint) => (a > b ? a : b);
