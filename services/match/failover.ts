import type { Deployment } from "../shared/chain/deployment.ts";
import type { Sender } from "../shared/chain/send.ts";
import {
  type WorkspaceSpecRow,
  workspaceSpecColumns,
  workspaceSpecOf,
} from "../shared/chain/workspaceSpec.ts";
import { holdLeadership } from "../shared/db/leader.ts";
import type { Database } from "../shared/db/pool.ts";
import type { ServiceContext } from "../shared/lifecycle.ts";
import { type Loop, startLoop } from "../shared/loop.ts";
import { readHead } from "./fleetStore.ts";
import { decideLosses, type HeldLease, type WatchedNode } from "./loss.ts";
import type { MatchMetrics } from "./metrics.ts";
import { fresh } from "./sessionStore.ts";

/** A node absent for so many slots is marked offline on the chain. */
const offlineSlots = 3;
/** A new leader gives everyone so long to come back before it counts anyone as absent, in ms. */
const settleMs = 10_000;
/** A lease is not named again for so long, in ms: its release has to be exported first. */
const patienceMs = 10_000;

export type FailoverOptions = {
  context: ServiceContext;
  databaseUrl: string;
  pool: Database;
  deployment: Deployment;
  sender: Sender;
  metrics: MatchMetrics;
  lossSeconds: number;
  lossShare: number;
};

/** Leads the watch over nodes that stop answering. */
export function startFailover(options: FailoverOptions): { wake(): void } {
  const { context, databaseUrl } = options;
  let loop: Loop | undefined;
  const lead = async (signal: AbortSignal) => {
    const watch: Watch = { since: Date.now(), absentSince: new Map(), tried: new Map(), suspicious: false };
    loop = startLoop({ name: "failover", logger: context.logger, signal, interval: 1_000 }, () =>
      look(options, watch),
    );
    await loop.done;
    loop = undefined;
  };
  void holdLeadership({
    ...{ url: databaseUrl, leadership: "failover", logger: context.logger, signal: context.signal },
    lead,
  });
  return { wake: () => loop?.wake() };
}

type Watch = {
  since: number;
  absentSince: Map<number, number>;
  tried: Map<string, number>;
  suspicious: boolean;
};

async function look(options: FailoverOptions, watch: Watch): Promise<void> {
  const { pool, context, metrics, deployment } = options;
  const now = Date.now();
  const nodes = await watchedNodes(pool, watch, now);
  if (now - watch.since < settleMs) return;
  const head = await readHead(pool);
  const decision = decideLosses({
    now,
    chainTime: head.time,
    nodes,
    leases: await heldLeases(pool, [...watch.absentSince.keys()]),
    limits: {
      lossMs: options.lossSeconds * 1_000,
      share: options.lossShare,
      offlineMs: offlineSlots * deployment.parameters.slotSeconds * 1_000,
    },
  });
  const suspicious = decision.type === "suspect";
  metrics.suspicion.set(suspicious ? 1 : 0);
  if (suspicious && !watch.suspicious) context.logger.error({ event: "outage_suspected", ...decision });
  if (!suspicious && watch.suspicious) context.logger.info({ event: "outage_over" });
  watch.suspicious = suspicious;
  if (decision.type === "suspect") return;
  for (const [key, at] of watch.tried) if (now - at > patienceMs) watch.tried.delete(key);
  await releaseLeases(options, watch, decision.release);
  await markOffline(options, watch, decision.offline);
}

async function watchedNodes(pool: Database, watch: Watch, now: number): Promise<WatchedNode[]> {
  const { rows } = await pool.query<Omit<WatchedNode, "absentSince"> & { present: boolean }>(
    `select n.node_id::int as "nodeId", n.status, n.gpu_count::int as gpus, n.cpu_milli::int as "cpuMilli",
       exists (select from chain.measurement m where m.node_id = n.node_id and m.status = 'finalized'
         and m.submissions > 0 and m.expires_at > extract(epoch from now())) as proven,
       exists (select from app.session s where s.role = 'node' and s.subject_id = n.node_id and ${fresh}) as present
     from chain.node n`,
  );
  const nodes = rows.map(({ present, ...node }) => {
    if (present) watch.absentSince.delete(node.nodeId);
    else if (!watch.absentSince.has(node.nodeId)) watch.absentSince.set(node.nodeId, now);
    return { ...node, absentSince: watch.absentSince.get(node.nodeId) ?? null };
  });
  const known = new Set(nodes.map((node) => node.nodeId));
  for (const id of watch.absentSince.keys()) if (!known.has(id)) watch.absentSince.delete(id);
  return nodes;
}

async function heldLeases(pool: Database, nodeIds: number[]): Promise<HeldLease[]> {
  if (nodeIds.length === 0) return [];
  const { rows } = await pool.query<HeldLease>(
    `select a.workspace_id::numeric as "workspaceId", a.replica::int, a.lease::int, a.node_id::int as "nodeId", a.state,
       w.policy, a.lost_until::int as "lostUntil"
     from chain.assignment a join chain.workspace w using (workspace_id)
     where a.release_reason is null and a.node_id = any($1) order by a.workspace_id, a.replica`,
    [nodeIds],
  );
  return rows;
}

async function releaseLeases(options: FailoverOptions, watch: Watch, due: HeldLease[]): Promise<void> {
  const { pool, sender, context } = options;
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
  const { hash, refusals } = await sender.send({
    kind: "failover.release",
    contract: "DockerContract",
    functionName: "releaseLost",
    args: [
      items.map(({ lease: { workspaceId, replica, lease } }) => ({ workspaceId, replica, lease })),
      items.map(({ spec }) => spec),
    ],
  });
  const refused = new Map(refusals.map(({ index, error }) => [index, error.text]));
  for (const [index, { lease }] of items.entries()) {
    const { workspaceId, replica, lease: number, nodeId } = lease;
    const ids = { workspaceId, replica, lease: number, nodeId, hash };
    const reason = refused.get(index);
    if (reason === undefined) context.logger.warn({ event: "lease_lost", ...ids });
    else context.logger.info({ event: "lease_kept", ...ids, reason });
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
