import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import type { Health } from "@ngpu/runtime/http";

/** The source of the rows: a chain, its contracts and the definitions of the tables. */
export type Origin = {
  chainId: number;
  startBlock: bigint;
  startHash: string;
  /** Addresses of each contract and its predecessors, oldest first. */
  contracts: Record<string, string[]>;
  /** Hash of the tables' and projections' definitions. */
  definitions: string;
  /** Version of the definitions; a higher one is newer. */
  version: number;
};

export type SchemaPlan =
  | { type: "keep" }
  | { type: "build" }
  /** What differs, for the log. */
  | { type: "rebuild"; reasons: string[] }
  /** A newer version built them, and would rebuild them again after this one. */
  | { type: "leave" };

/** Whether to keep the stored rows, to build them, to rebuild them or to leave them to a newer version. */
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
  /** The head of this tier at the endpoint. */
  claimed: BlockRef;
  /** The last stored block, and the endpoint's hash at its number. */
  tip: BlockRef;
  tipHashAtEndpoint: string;
};

/**
 * The new head of a tier among the stored blocks; null when it does not change. A head never moves back here, because an
 * endpoint may lag. Only a reorg below it moves it back.
 */
export function chooseHead({ stored, claimed, tip, tipHashAtEndpoint }: HeadFacts): BlockRef | null {
  const reached = claimed.number <= tip.number ? claimed : tipHashAtEndpoint === tip.hash ? tip : null;
  if (reached === null) return null;
  return stored === undefined || stored.number < reached.number ? reached : null;
}

/** `starting`: not connected, or not yet verified that the stored rows are of this chain. */
export type Role = "starting" | "standby" | "leader";

export type HealthFacts = {
  role: Role;
  /** Unix seconds. */
  now: number;
  blockSeconds: number;
  /** The last head received from an endpoint, with the Unix time of receipt in seconds. */
  head: { number: bigint; timestamp: bigint; seenAt: number } | undefined;
  /** The last block whose rows are visible. */
  tip: bigint | undefined;
};

// In block times.
const staleAfter = 15;
const maxLagBlocks = 15n;

/** A standby instance is healthy. The leader is healthy while it receives a recent head and is at most 15 blocks behind it. */
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
