import type { AssignmentState, Desired, Milestone } from "@ngpu/contracts-sdk/enumNames";
import type { workspaceStatuses } from "./schemas/workspaces.ts";

export type LeaseFacts = {
  authorizationId: string;
  rate: bigint;
  running: boolean;
  closed: boolean;
  /** Unix seconds of the last settlement or clock change. */
  clockSince: number;
  settled: bigint;
};

export type AuthorizationFacts = { id: string; total: bigint; expiry: number; leases: LeaseFacts[] };

export type AuthorizationBalance = {
  id: string;
  spent: bigint;
  owed: bigint;
  remaining: bigint;
  rateInUse: bigint;
};

/** What an authorization's leases have cost and owe at `now` (Unix seconds): what a settlement of all would book, as Escrow does. */
export function authorizationBalance(facts: AuthorizationFacts, now: number): AuthorizationBalance {
  const spent = facts.leases.reduce((sum, lease) => sum + lease.settled, 0n);
  const open = facts.leases.filter((lease) => !lease.closed);
  const until = Math.min(now, facts.expiry);
  const due = open
    .filter((lease) => lease.running)
    .reduce((sum, lease) => sum + lease.rate * BigInt(Math.max(0, until - lease.clockSince)), 0n);
  const rest = atLeastZero(facts.total - spent);
  const owed = smaller(due, rest);
  const rateInUse = open.reduce((sum, lease) => sum + lease.rate, 0n);
  return { id: facts.id, spent, owed, remaining: rest - owed, rateInUse };
}

/** Whether the delegate may publish under an authorization now. @param generation Of the escrow in use. */
export function isUsable(
  row: { revoked: boolean; expiry: number; delegate: string; generation: number },
  { now, delegate, generation }: { now: number; delegate: string; generation: number },
): boolean {
  const isOurs = row.delegate === delegate.toLowerCase() && row.generation === generation;
  return isOurs && !row.revoked && row.expiry >= now;
}

type AccountTotals = { deposited: bigint; withdrawn: bigint; settled: bigint; refunded: bigint };

/** What an account holds, what it owes included. */
export function balanceOf({ deposited, withdrawn, settled, refunded }: AccountTotals): bigint {
  return atLeastZero(deposited + refunded - withdrawn - settled);
}

/** What an account could take out now. A debt above the balance is not owed: the settlement closes the lease instead. */
export function refundable(account: AccountTotals, owed: bigint): { owed: bigint; refundable: bigint } {
  const balance = balanceOf(account);
  const due = smaller(owed, balance);
  return { owed: due, refundable: balance - due };
}

const atLeastZero = (value: bigint) => (value < 0n ? 0n : value);
const smaller = (a: bigint, b: bigint) => (b > a ? a : b);

export type ReplicaFacts = {
  state: AssignmentState;
  desired: Desired;
  /** Whether the lease still holds its node. */
  held: boolean;
  milestone: Milestone | null;
};

export type WorkspaceStatus = (typeof workspaceStatuses)[number];

/** One word for a workspace: the best that any of its replicas has come to. */
export function workspaceStatus(facts: {
  status: "open" | "closed";
  /** Unix seconds; 0: never. */
  expiresAt: number;
  now: number;
  replicas: ReplicaFacts[];
}): WorkspaceStatus {
  if (facts.status === "closed") return "closed";
  if (facts.expiresAt !== 0 && facts.now >= facts.expiresAt) return "expired";
  const held = facts.replicas.filter((replica) => replica.held);
  if (held.length === 0) return "pending";
  if (held.some((replica) => replica.state === "running" && replica.desired !== "stop")) return "running";
  const wanted = held.filter((replica) => replica.desired === "run" || replica.desired === "hold");
  if (wanted.some((replica) => replica.state === "ready" || replica.milestone === "verified")) {
    return wanted.every((replica) => replica.state === "failed") ? "failed" : "starting";
  }
  if (wanted.some((replica) => replica.state === "assigned")) return "distributing";
  return held.some((replica) => replica.state === "failed") ? "failed" : "stopped";
}

/** The ports in a running report: big-endian uint16 each, in the order of the config's. */
export function mappedPorts(
  detail: string,
  containerPorts: number[],
): { containerPort: number; port: number }[] {
  const digits = detail.replace(/^0x/, "");
  return containerPorts.flatMap((containerPort, place) => {
    const port = Number.parseInt(digits.slice(4 * place, 4 * place + 4), 16);
    return Number.isInteger(port) && port > 0 ? [{ containerPort, port }] : [];
  });
}

/** The reason in a failed report: ASCII, filled up with zeros. */
export function failureText(detail: string): string {
  return Buffer.from(detail.replace(/^0x/, ""), "hex").toString("latin1").replace(/\0+$/, "");
}

/** Splits an OpenAI model name: `7`, `ws-7`, `chat`, each with `/<model of the container>` after it. */
export function parseModel(model: string): { id: string } | { name: string } | undefined {
  const [head = ""] = model.split("/", 1);
  const id = /^(?:ws-)?(\d{1,20})$/.exec(head)?.[1];
  if (id !== undefined) return { id };
  return head === "" ? undefined : { name: head };
}

/** What the container is told as its model: what stands after the workspace; nothing, when it is to use its own. */
export function innerModel(model: string): string | undefined {
  const slash = model.indexOf("/");
  return slash === -1 ? undefined : model.slice(slash + 1);
}

export type LeafFacts = { epoch: string; cumulative: bigint; proof: string; activatesAt: number };

/** What an account can claim at `now`: by the newest active root that has it, or by the newest one to come. */
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
 * When a bond is returned at the earliest, in Unix seconds: once no slot of the last day it needs can change any more.
 *
 * @param throughDay The last day that was counted; null before any was: then days count from `now`'s on.
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
