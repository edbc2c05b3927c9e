import { holdLeadership } from "@ngpu/db/leader";
import { readHead } from "@ngpu/queries/fleet";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { buryInstances, findUnseen, hasPeers, readAbsences } from "../sessions/absenceStore.ts";
import { decideLosses, type Online } from "./loss.ts";
import { heldLeases, readAway, readOnline } from "./lossStore.ts";
import { type LossOptions, markOffline, releaseLeases, type Tried, tellLost } from "./releaseLost.ts";

type Away = Awaited<ReturnType<typeof readAway>>[number];
type Losses = ReturnType<typeof decideLosses>;

/** A node absent for so many slots is marked offline on the chain. */
const offlineSlots = 3;
/** After a time without any instance nodes get so long to come back: longer than the longest pause between their tries. */
const returnMs = 20_000;
/** A new leader waits so long before it acts, in ms: what the one before it did has to be seen. */
const settleMs = 2_000;
/** A lease is not named again for so long, in ms: its release has to be exported first. */
const patienceMs = 10_000;
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
    const quiet = (await hasPeers(pool, instance)) ? settleMs : returnMs;
    watch = { actsFrom: Date.now() + quiet, tried: new Map(), outage: null };
    const kept = watch;
    loop = startLoop({ name: "failover", logger: context.logger, signal, interval: 1_000 }, () =>
      look(options, kept),
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
  actsFrom: number;
  tried: Tried;
  outage: Outage | null;
  online?: { value: Online; at: number };
  sweptAt?: number;
};

async function look(options: FailoverOptions, watch: Watch): Promise<void> {
  const { pool, lossSeconds } = options;
  const now = Date.now();
  const buried = await buryInstances(pool);
  if (buried > 0) options.context.logger.warn({ event: "instance_died", sessions: buried });
  if (now < watch.actsFrom) return;
  if (now - (watch.sweptAt ?? 0) >= sweepMs) {
    await findUnseen(pool);
    watch.sweptAt = now;
  }
  const away = await readAway(pool, await readAbsences(pool));
  countAway(options, away);
  const lost = away.filter((node) => node.awayMs >= lossSeconds * 1_000);
  if (lost.length === 0) return note(options, watch, null);
  const decision = await decideOn(options, watch, lost, now);
  note(options, watch, decision.type === "suspect" ? decision : null);
  if (decision.type === "suspect") return;
  await actOn(options, watch.tried, lost, decision);
}

function countAway({ metrics }: FailoverOptions, away: readonly Away[]): void {
  for (const signal of ["session", "probe", "heartbeat"] as const) {
    metrics.away.set({ signal }, away.filter((node) => node.signal === signal).length);
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
    away: lost,
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
  await tellLost(
    options,
    lost.map((node) => node.nodeId),
  );
  const now = Date.now();
  for (const [key, at] of tried) if (now - at > patienceMs) tried.delete(key);
  const signals = new Map(lost.map((node) => [node.nodeId, node.signal]));
  await releaseLeases(options, tried, release, signals);
  await markOffline(options, tried, offline);
}

/** Raises the alert and takes it back: in the log, the metric and /healthz. */
function note(
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
