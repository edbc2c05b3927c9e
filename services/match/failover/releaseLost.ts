import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract } from "@ngpu/contracts-sdk/generations";
import { type Database, transaction } from "@ngpu/db/pool";
import {
  type WorkspaceSpec,
  type WorkspaceSpecRow,
  workspaceSpecColumns,
  workspaceSpecOf,
} from "@ngpu/protocol/workspaceSpec";
import { recordEvents } from "@ngpu/queries/workspaceEvents";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Address } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import { type Absence, markLost, type Signal } from "../sessions/absenceStore.ts";
import type { HeldLease } from "./decideLosses.ts";
import { heldLeases } from "./lossStore.ts";

export type LossOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sender: Sender;
  metrics: MatchMetrics;
};

/** Time of the last attempt for a lease or a node, ms since the epoch. */
export type Tried = Map<string, number>;

/** Marks nodes as lost; logs and measures those that were not marked before. */
export async function reportLost({ pool, metrics, context }: LossOptions, nodeIds: number[]): Promise<void> {
  const lost = await markLost(pool, nodeIds);
  await recordLost(pool, lost);
  for (const { nodeId, signal, unreachableMs } of lost) {
    metrics.lossDetection.observe({ signal }, unreachableMs / 1_000);
    context.logger.warn({ event: "node_lost", nodeId, signal, unreachableMs: Math.round(unreachableMs) });
  }
}

/** Tells the owners of the replicas on lost nodes. */
async function recordLost(pool: Database, lost: readonly Absence[]): Promise<void> {
  const signals = new Map(lost.map(({ nodeId, signal }) => [nodeId, signal]));
  const leases = await heldLeases(pool, [...signals.keys()]);
  if (leases.length === 0) return;
  await transaction(pool, (db) =>
    recordEvents(
      db,
      leases.map(({ workspaceId, replica, lease, nodeId }) => {
        const details = { signal: signals.get(nodeId) };
        return { workspaceId, replica, lease, nodeId, code: "node_lost", details };
      }),
    ),
  );
}

/** Releases leases, or marks exclusive ones lost: at most 50 per call, each at its workspace's contract. */
export async function releaseLeases(
  options: LossOptions,
  tried: Tried,
  due: HeldLease[],
  signals: ReadonlyMap<number, Signal>,
): Promise<void> {
  const { pool, deployment } = options;
  const keyOf = (lease: HeldLease) =>
    `${lease.workspaceId}/${lease.replica}/${lease.lease}/${lease.lostUntil ?? ""}`;
  const leases = due.filter((lease) => !tried.has(keyOf(lease))).slice(0, 50);
  if (leases.length === 0) return;
  for (const lease of leases) tried.set(keyOf(lease), Date.now());
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
  { sender, context, metrics }: LossOptions,
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
      metrics.leasesLost.inc({ signal });
      context.logger.warn({ event: "lease_lost", ...ids });
    } else context.logger.info({ event: "lease_kept", ...ids, reason });
  }
}

/** Marks nodes offline on the chain: at most 500 per call. */
export async function markOffline(options: LossOptions, tried: Tried, due: number[]): Promise<void> {
  const { sender, context } = options;
  const nodes = due.filter((id) => !tried.has(`offline:${id}`)).slice(0, 500);
  if (nodes.length === 0) return;
  for (const id of nodes) tried.set(`offline:${id}`, Date.now());
  const { hash } = await sender.send({
    kind: "failover.offline",
    contract: "ComputeNode",
    functionName: "markOffline",
    args: [nodes],
  });
  context.logger.warn({ event: "nodes_marked_offline", nodes, hash });
}
