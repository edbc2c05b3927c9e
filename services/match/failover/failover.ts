import { holdLeadership } from "@ngpu/db/leader";
import { readHead } from "@ngpu/queries/fleet";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { hasPeers, readAbsences, reapInstances, recordUnconnected } from "../sessions/absenceStore.ts";
import { decideLosses, type Online } from "./decideLosses.ts";
import { heldLeases, readOnline, readUnreachable } from "./lossStore.ts";
import { type LossOptions, markOffline, releaseLeases, reportLost, type Tried } from "./releaseLost.ts";

type Away = Awaited<ReturnType<typeof readUnreachable>>[number];
type Losses = ReturnType<typeof decideLosses>;

/** A node absent for so many slots is marked offline on the chain. */
const offlineSlots = 3;
/** After a time without any instance nodes get so long to come back: longer than the longest pause between their tries. */
const reconnectGraceMs = 20_000;
/** A new leader waits so long before it acts, in ms: what the one before it did has to be seen. */
const settleMs = 2_000;
/** A lease is not named again for so long, in ms: its release has to be exported first. */
const retryAfterMs = 10_000;
/** What looks at all nodes is done so often, in ms. */
const countMs = 5_000;
const sweepMs = 15_000;

export type FailoverOptions = LossOptions & {
  databaseUrl: string;
  instance: string;
  lossSeconds: number;
  lossShare: number;
  lossFloor: number;
};

/** So much is missing at once that nothing is reassigned. */
export type Outage = { since: string; missing: number; share: number };

/** Leads the watch over nodes that stop answering. */
export function startFailover(options: FailoverOptions): { wake(): void; outage(): Outage | null } {
  const { context, databaseUrl, pool, instance } = options;
  let loop: Loop | undefined;
  let watch: Watch | undefined;
  const lead = async (signal: AbortSignal) => {
    const grace = (await hasPeers(pool, instance)) ? settleMs : reconnectGraceMs;
    watch = { activeFrom: Date.now() + grace, tried: new Map(), outage: null };
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
    leadership: "failover",
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
  online?: { value: Online; at: number };
  sweptAt?: number;
};

async function checkNodes(options: FailoverOptions, watch: Watch): Promise<void> {
  const { pool, lossSeconds } = options;
  const now = Date.now();
  const reaped = await reapInstances(pool);
  if (reaped > 0) options.context.logger.warn({ event: "instance_died", sessions: reaped });
  if (now < watch.activeFrom) return;
  if (now - (watch.sweptAt ?? 0) >= sweepMs) {
    await recordUnconnected(pool);
    watch.sweptAt = now;
  }
  const unreachable = await readUnreachable(pool, await readAbsences(pool));
  countAway(options, unreachable);
  const lost = unreachable.filter((node) => node.unreachableMs >= lossSeconds * 1_000);
  if (lost.length === 0) return updateOutage(options, watch, null);
  const decision = await decideOn(options, watch, lost, now);
  updateOutage(options, watch, decision.type === "suspect" ? decision : null);
  if (decision.type === "suspect") return;
  await actOn(options, watch.tried, lost, decision);
}

function countAway({ metrics }: FailoverOptions, unreachable: readonly Away[]): void {
  for (const signal of ["session", "probe", "heartbeat"] as const) {
    metrics.unreachable.set({ signal }, unreachable.filter((node) => node.signal === signal).length);
  }
}

async function decideOn(
  { pool, deployment, lossSeconds, lossShare, lossFloor }: FailoverOptions,
  watch: Watch,
  lost: Away[],
  now: number,
): Promise<Losses> {
  if (watch.online === undefined || now - watch.online.at >= countMs) {
    watch.online = { value: await readOnline(pool), at: now };
  }
  return decideLosses({
    chainTime: (await readHead(pool)).time,
    unreachable: lost,
    online: watch.online.value,
    leases: await heldLeases(
      pool,
      lost.map((node) => node.nodeId),
    ),
    limits: {
      lossMs: lossSeconds * 1_000,
      share: lossShare,
      floor: lossFloor,
      offlineMs: offlineSlots * deployment.parameters.slotSeconds * 1_000,
    },
  });
}

async function actOn(
  options: FailoverOptions,
  tried: Tried,
  lost: readonly Away[],
  { release, offline }: Exclude<Losses, { type: "suspect" }>,
): Promise<void> {
  // Before a lease is released: whoever assigns it next must already see which nodes to leave out.
  await reportLost(
    options,
    lost.map((node) => node.nodeId),
  );
  const now = Date.now();
  for (const [key, at] of tried) if (now - at > retryAfterMs) tried.delete(key);
  const signals = new Map(lost.map((node) => [node.nodeId, node.signal]));
  await releaseLeases(options, tried, release, signals);
  await markOffline(options, tried, offline);
}

/** Raises the alert and takes it back: in the log, the metric and /healthz. */
function updateOutage(
  { metrics, context }: FailoverOptions,
  watch: Watch,
  suspicion: { missing: number[]; share: number } | null,
): void {
  metrics.suspicion.set(suspicion === null ? 0 : 1);
  if (suspicion === null) {
    if (watch.outage !== null) context.logger.info({ event: "outage_over" });
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
