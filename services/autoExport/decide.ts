import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import type { Health } from "@ngpu/runtime/http";

/** What the rows were, or are to be, read from. */
export type Origin = {
  chainId: number;
  startBlock: bigint;
  startHash: string;
  /** Each contract and those it replaced, oldest first. */
  contracts: Record<string, string[]>;
  /** Hash of the tables' and projections' definitions. */
  definitions: string;
  /** Of the definitions: the higher is the newer. */
  version: number;
};

export type SchemaPlan =
  | { type: "keep" }
  | { type: "build" }
  /** What differs, for the log. */
  | { type: "rebuild"; reasons: string[] }
  /** A newer version built them, and would build them again after this one. */
  | { type: "leave" };

/** Whether the rows that are there can be gone on with. */
export function planSchema(stored: Origin | undefined, wanted: Origin): SchemaPlan {
  if (stored === undefined) return { type: "build" };
  if (stored.version > wanted.version) return { type: "leave" };
  const reasons: string[] = [];
  if (stored.definitions !== wanted.definitions) reasons.push("definitions");
  if (stored.chainId !== wanted.chainId) reasons.push("chain");
  if (stored.startBlock !== wanted.startBlock || stored.startHash !== wanted.startHash)
    reasons.push("start block");
  if (canonical(stored.contracts) !== canonical(wanted.contracts)) reasons.push("contracts");
  return reasons.length === 0 ? { type: "keep" } : { type: "rebuild", reasons };
}

function canonical(contracts: Origin["contracts"]): string {
  return JSON.stringify(Object.entries(contracts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export type HeadFacts = {
  /** The head of this tier as stored. */
  stored: BlockRef | undefined;
  /** The head of this tier as the endpoint says. */
  claimed: BlockRef;
  /** Our last block, and the endpoint's hash at its number. */
  tip: BlockRef;
  tipHashAtEndpoint: string;
};

/**
 * How far a tier reaches in our blocks: null when there is nothing to change. A head never goes back by itself; an
 * endpoint that lags would make it. A reorg below it does that.
 */
export function chooseHead({ stored, claimed, tip, tipHashAtEndpoint }: HeadFacts): BlockRef | null {
  const reached = claimed.number <= tip.number ? claimed : tipHashAtEndpoint === tip.hash ? tip : null;
  if (reached === null) return null;
  return stored === undefined || stored.number < reached.number ? reached : null;
}

/** `starting`: not connected, or what is stored is not known to be of this chain yet. */
export type Role = "starting" | "standby" | "leader";

export type HealthFacts = {
  role: Role;
  /** Unix seconds. */
  now: number;
  blockSeconds: number;
  /** The endpoint's head as last seen, and when that was. */
  head: { number: bigint; timestamp: bigint; seenAt: number } | undefined;
  /** The last block whose rows are visible. */
  tip: bigint | undefined;
};

// In block times.
const staleAfter = 15;
const maxLagBlocks = 15n;

/** An instance that waits to take over is healthy; the one that leads must see a fresh head and keep up with it. */
export function evaluateHealth(facts: HealthFacts): Health {
  const { role, head, tip, now, blockSeconds } = facts;
  if (role === "standby") return { ok: true, details: { role } };
  if (role === "starting" || head === undefined || tip === undefined) {
    return { ok: false, details: { role, reason: "no block is stored yet" } };
  }
  const limit = staleAfter * blockSeconds;
  const age = now - Number(head.timestamp);
  const lag = head.number - tip;
  const reason =
    now - head.seenAt > limit
      ? "the chain does not answer"
      : age > limit
        ? "the chain's head is stale"
        : lag > maxLagBlocks
          ? "behind the chain's head"
          : undefined;
  const details = {
    role,
    head: head.number,
    tip,
    lag,
    headAgeSeconds: Math.max(0, Math.round(age)),
  };
  return reason === undefined ? { ok: true, details } : { ok: false, details: { ...details, reason } };
}
