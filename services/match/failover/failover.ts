import { holdLeadership } from "@ngpu/db/leader";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { endAbsences, reapInstances, recordUnconnected } from "../sessions/absenceStore.ts";
import type { LossDecision, UnreachableNode } from "./decideLosses.ts";
import { createLossView, type LossLimitOptions, type LossView, lossGraceMs } from "./lossView.ts";
import { type LossOptions, markOffline, releaseLeases, reportLost, type Tried } from "./releaseLost.ts";

/** Delay before a new leader acts, ms: the actions of the previous leader must become visible first. */
const settleMs = 2_000;
/** Delay before a lease is tried again, ms: its release must be exported first. */
const retryAfterMs = 10_000;
/** Interval of the search for unconnected nodes, which reads all nodes, ms. */
const sweepMs = 15_000;

export type FailoverOptions = LossOptions &
  LossLimitOptions & {
    databaseUrl: string;
    instance: string;
    /** What the sender's account may do: a keeper releases leases, a committer marks nodes offline. */
    act: "release" | "offline";
  };

/** A suspected outage: too much capacity is missing, so no lease is reassigned. */
export type Outage = { since: string; missing: number; share: number };

/** Releases the leases of lost nodes, or marks them offline, on the instance that leads. */
export function startFailover(options: FailoverOptions): { wake(): void; outage(): Outage | null } {
  const { context, databaseUrl, pool, instance } = options;
  let loop: Loop | undefined;
  let watch: Watch | undefined;
  const lead = async (signal: AbortSignal) => {
    const grace = Math.max(settleMs, await lossGraceMs(pool, instance));
    watch = {
      activeFrom: performance.now() + grace,
      tried: new Map(),
      outage: null,
      view: createLossView(options),
    };
    const kept = watch;
    loop = startLoop({ name: "failover", logger: context.logger, signal, interval: 1_000 }, () =>
      checkNodes(options, kept),
    );
    await loop.done;
    loop = undefined;
    watch = undefined;
  };
  void holdLeadership({
    url: databaseUrl,
    leadership: options.act === "release" ? "failover" : "offline",
    logger: context.logger,
    signal: context.signal,
    lead,
  });
  return { wake: () => loop?.wake(), outage: () => watch?.outage ?? null };
}

type Watch = {
  activeFrom: number;
  tried: Tried;
  outage: Outage | null;
  view: LossView;
  sweptAt?: number;
};

async function checkNodes(options: FailoverOptions, watch: Watch): Promise<void> {
  const { pool } = options;
  const now = performance.now();
  const reaped = await reapInstances(pool);
  if (reaped > 0) options.context.logger.warn({ event: "instance_died", sessions: reaped });
  if (now < watch.activeFrom) return;
  if (now - (watch.sweptAt ?? Number.NEGATIVE_INFINITY) >= sweepMs) {
    await recordUnconnected(pool);
    watch.sweptAt = now;
  }
  await endAbsences(pool);
  const { unreachable, lost, decision } = await watch.view.read();
  countUnreachable(options, unreachable);
  updateOutage(options, watch, decision?.type === "suspect" ? decision : null);
  if (decision === undefined || decision.type === "suspect") return;
  await actOn(options, watch.tried, lost, decision);
}

function countUnreachable({ metrics }: FailoverOptions, unreachable: readonly UnreachableNode[]): void {
  for (const signal of ["session", "probe", "heartbeat"] as const) {
    metrics.unreachable.set({ signal }, unreachable.filter((node) => node.signal === signal).length);
  }
}

async function actOn(
  options: FailoverOptions,
  tried: Tried,
  lost: readonly UnreachableNode[],
  { release, offline }: Exclude<LossDecision, { type: "suspect" }>,
): Promise<void> {
  // Before a lease is released: its next assignment must already exclude the lost nodes.
  await reportLost(
    options,
    lost.map((node) => node.nodeId),
  );
  const now = performance.now();
  for (const [key, at] of tried) if (now - at > retryAfterMs) tried.delete(key);
  const nodes = new Map(lost.map((node) => [node.nodeId, node]));
  if (options.act === "release") await releaseLeases(options, tried, release, nodes);
  else await markOffline(options, tried, offline);
}

/** Sets or clears the suspected outage in the log, the metric and /healthz. */
function updateOutage(
  { metrics, context }: FailoverOptions,
  watch: Watch,
  suspicion: { missing: number[]; share: number } | null,
): void {
  metrics.suspicion.set(suspicion === null ? 0 : 1);
  if (suspicion === null) {
    if (watch.outage !== null) context.logger.info({ event: "outage_ended" });
    watch.outage = null;
    return;
  }
  const { missing, share } = suspicion;
  if (watch.outage === null) {
    context.logger.error({
      event: "outage_suspected",
      nodes: missing.slice(0, 100),
      missing: missing.length,
      share,
    });
  }
  const since = watch.outage?.since ?? new Date().toISOString();
  watch.outage = { since, missing: missing.length, share };
}
