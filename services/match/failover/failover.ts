import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract } from "@ngpu/contracts-sdk/generations";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import {
  type WorkspaceSpec,
  type WorkspaceSpecRow,
  workspaceSpecColumns,
  workspaceSpecOf,
} from "@ngpu/protocol/workspaceSpec";
import { readHead } from "@ngpu/queries/fleet";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Address } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import {
  buryInstances,
  findUnseen,
  hasPeers,
  noteLost,
  readAbsences,
  type Signal,
} from "../sessions/absenceStore.ts";
import { decideLosses, type HeldLease, type Online } from "./loss.ts";
import { heldLeases, readAway, readOnline } from "./lossStore.ts";

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

export type FailoverOptions = {
  context: ServiceContext;
  databaseUrl: string;
  pool: Database;
  deployment: Deployment;
  sender: Sender;
  metrics: MatchMetrics;
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
    ...{ url: databaseUrl, leadership: "failover", logger: context.logger, signal: context.signal },
    lead,
  });
  return { wake: () => loop?.wake(), outage: () => watch?.outage ?? null };
}

type Watch = {
  actsFrom: number;
  tried: Map<string, number>;
  outage: Outage | null;
  online?: { value: Online; at: number };
  sweptAt?: number;
};

async function look(options: FailoverOptions, watch: Watch): Promise<void> {
  const { pool, metrics, deployment } = options;
  const now = Date.now();
  const buried = await buryInstances(pool);
  if (buried > 0) options.context.logger.warn({ event: "instance_died", sessions: buried });
  if (now < watch.actsFrom) return;
  if (now - (watch.sweptAt ?? 0) >= sweepMs) {
    await findUnseen(pool);
    watch.sweptAt = now;
  }
  const away = await readAway(pool, await readAbsences(pool));
  for (const signal of ["session", "probe", "heartbeat"] as const) {
    metrics.away.set({ signal }, away.filter((node) => node.signal === signal).length);
  }
  const lossMs = options.lossSeconds * 1_000;
  const lost = away.filter((node) => node.awayMs >= lossMs);
  if (lost.length === 0) return note(options, watch, null);
  if (watch.online === undefined || now - watch.online.at >= countMs) {
    watch.online = { value: await readOnline(pool), at: now };
  }
  const decision = decideLosses({
    chainTime: (await readHead(pool)).time,
    away: lost,
    online: watch.online.value,
    leases: await heldLeases(
      pool,
      lost.map((node) => node.nodeId),
    ),
    limits: {
      lossMs,
      share: options.lossShare,
      floor: options.lossFloor,
      offlineMs: offlineSlots * deployment.parameters.slotSeconds * 1_000,
    },
  });
  note(options, watch, decision.type === "suspect" ? decision : null);
  if (decision.type === "suspect") return;
  // Before a lease is released: whoever assigns it anew must already see which nodes to leave out.
  await tellLost(
    options,
    lost.map((node) => node.nodeId),
  );
  for (const [key, at] of watch.tried) if (now - at > patienceMs) watch.tried.delete(key);
  await releaseLeases(
    options,
    watch,
    decision.release,
    new Map(lost.map((node) => [node.nodeId, node.signal])),
  );
  await markOffline(options, watch, decision.offline);
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

async function tellLost({ pool, metrics, context }: FailoverOptions, nodeIds: number[]): Promise<void> {
  for (const { nodeId, signal, awayMs } of await noteLost(pool, nodeIds)) {
    metrics.noticed.observe({ signal }, awayMs / 1_000);
    context.logger.warn({ event: "node_lost", nodeId, signal, awayMs: Math.round(awayMs) });
  }
}

async function releaseLeases(
  options: FailoverOptions,
  watch: Watch,
  due: HeldLease[],
  signals: ReadonlyMap<number, Signal>,
): Promise<void> {
  const { pool, deployment } = options;
  const keyOf = (lease: HeldLease) =>
    `${lease.workspaceId}/${lease.replica}/${lease.lease}/${lease.lostUntil ?? ""}`;
  const leases = due.filter((lease) => !watch.tried.has(keyOf(lease))).slice(0, 50);
  if (leases.length === 0) return;
  for (const lease of leases) watch.tried.set(keyOf(lease), Date.now());
  const { rows } = await pool.query<WorkspaceSpecRow & { workspace_id: bigint }>(
    `select workspace_id::numeric, ${workspaceSpecColumns} from chain.workspace where workspace_id = any($1)`,
    [leases.map((lease) => lease.workspaceId)],
  );
  const specs = new Map(rows.map((row) => [row.workspace_id, workspaceSpecOf(row)]));
  const items = leases.flatMap((lease) => {
    const spec = specs.get(lease.workspaceId);
    return spec === undefined ? [] : [{ lease, spec }];
  });
  for (const [at, own] of byContract(deployment, "DockerContract", items, ({ lease }) => lease)) {
    await releaseAt(options, at, own, signals);
  }
}

async function releaseAt(
  { sender, context, metrics }: FailoverOptions,
  at: Address,
  items: { lease: HeldLease; spec: WorkspaceSpec }[],
  signals: ReadonlyMap<number, Signal>,
): Promise<void> {
  const { hash, refusals } = await sender.send({
    kind: "failover.release",
    contract: "DockerContract",
    at,
    functionName: "releaseLost",
    args: [
      items.map(({ lease: { workspaceId, replica, lease } }) => ({ workspaceId, replica, lease })),
      items.map(({ spec }) => spec),
    ],
  });
  const refused = new Map(refusals.map(({ index, error }) => [index, error.text]));
  for (const [index, { lease }] of items.entries()) {
    const { workspaceId, replica, lease: number, nodeId } = lease;
    const signal = signals.get(nodeId) ?? "session";
    const ids = { workspaceId, replica, lease: number, nodeId, signal, hash };
    const reason = refused.get(index);
    if (reason === undefined) {
      metrics.lost.inc({ signal });
      context.logger.warn({ event: "lease_lost", ...ids });
    } else context.logger.info({ event: "lease_kept", ...ids, reason });
  }
}

async function markOffline(options: FailoverOptions, watch: Watch, due: number[]): Promise<void> {
  const { sender, context } = options;
  const nodes = due.filter((id) => !watch.tried.has(`offline:${id}`)).slice(0, 500);
  if (nodes.length === 0) return;
  for (const id of nodes) watch.tried.set(`offline:${id}`, Date.now());
  const { hash } = await sender.send({
    kind: "failover.offline",
    contract: "ComputeNode",
    functionName: "markOffline",
    args: [nodes],
  });
  context.logger.warn({ event: "nodes_marked_offline", nodes, hash });
}
