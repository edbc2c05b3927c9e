import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract } from "@ngpu/contracts-sdk/generations";
import { type Database, transaction } from "@ngpu/db/pool";
import type { SignedLoss } from "@ngpu/protocol/lossStatement";
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
import { readOffline } from "../presence/cosignStore.ts";
import { type Absence, markLost } from "../sessions/absenceStore.ts";
import type { HeldLease, UnreachableNode } from "./decideLosses.ts";
import { heldLeases } from "./lossStore.ts";
import { readStatements } from "./statementStore.ts";

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

type LostNodes = ReadonlyMap<number, UnreachableNode>;
type Evidenced = { lease: HeldLease; statement: SignedLoss | undefined };

/** Releases leases, or marks exclusive ones lost: at most 50 per call, each at its workspace's contract. */
export async function releaseLeases(
  options: LossOptions,
  tried: Tried,
  due: HeldLease[],
  nodes: LostNodes,
): Promise<void> {
  const { pool, deployment } = options;
  const keyOf = (lease: HeldLease) =>
    `${lease.workspaceId}/${lease.replica}/${lease.lease}/${lease.lostUntil ?? ""}`;
  const waiting = due.filter((lease) => !tried.has(keyOf(lease)));
  for (const [at, own] of byContract(deployment, "DockerContract", waiting, (lease) => lease)) {
    const items = (await withEvidence(pool, at, own, nodes)).slice(0, 50);
    if (items.length === 0) continue;
    for (const { lease } of items) tried.set(keyOf(lease), performance.now());
    await releaseAt(options, at, items, nodes);
  }
}

/**
 * The leases that the contract can release: their replica failed, their node is not online, or a witness stated its
 * silence. The others wait for the witness, which notifies the keepers.
 */
async function withEvidence(
  pool: Database,
  at: Address,
  leases: readonly HeldLease[],
  nodes: LostNodes,
): Promise<Evidenced[]> {
  if (leases.length === 0) return [];
  const statements = await readStatements(pool, at, [...new Set(leases.map((lease) => lease.nodeId))]);
  return leases.flatMap((lease) => {
    const statement = statements.get(lease.nodeId);
    const isShown = lease.state === "failed" || nodes.get(lease.nodeId)?.status !== "online";
    return isShown || statement !== undefined ? [{ lease, statement }] : [];
  });
}

async function releaseAt(
  options: LossOptions,
  at: Address,
  evidenced: readonly Evidenced[],
  nodes: LostNodes,
): Promise<void> {
  const { pool } = options;
  const { rows } = await pool.query<WorkspaceSpecRow & { workspace_id: bigint }>(
    `select workspace_id::numeric, ${workspaceSpecColumns} from chain.workspace where workspace_id = any($1)`,
    [evidenced.map(({ lease }) => lease.workspaceId)],
  );
  const specs = new Map(rows.map((row) => [row.workspace_id, workspaceSpecOf(row)]));
  const items = evidenced.flatMap(({ lease, statement }) => {
    const spec = specs.get(lease.workspaceId);
    return spec === undefined ? [] : [{ lease, spec, statement }];
  });
  if (items.length > 0) await sendReleases(options, at, items, nodes);
}

async function sendReleases(
  { sender, context, metrics }: LossOptions,
  at: Address,
  items: (Evidenced & { spec: WorkspaceSpec })[],
  nodes: LostNodes,
): Promise<void> {
  // One statement for all leases of a node.
  const statements = new Map(items.map(({ lease, statement }) => [lease.nodeId, statement]));
  const { hash, refusals } = await sender.send({
    kind: "failover.release",
    contract: "DockerContract",
    at,
    functionName: "releaseLost",
    args: [
      items.map(({ lease: { workspaceId, replica, lease } }) => ({ workspaceId, replica, lease })),
      items.map(({ spec }) => spec),
      [...statements.values()].filter((statement) => statement !== undefined),
    ],
  });
  const refused = new Map(refusals.map(({ index, error }) => [index, error.text]));
  for (const [index, { lease }] of items.entries()) {
    const { workspaceId, replica, lease: number, nodeId } = lease;
    const signal = nodes.get(nodeId)?.signal ?? "session";
    const ids = { workspaceId, replica, lease: number, nodeId, signal, hash };
    const reason = refused.get(index);
    if (reason === undefined) {
      metrics.leasesLost.inc({ signal });
      context.logger.warn({ event: "lease_lost", ...ids });
    } else context.logger.info({ event: "lease_kept", ...ids, reason });
  }
}

/** Marks nodes offline on the chain that a cosigner stated to be: at most 500 per call. */
export async function markOffline(options: LossOptions, tried: Tried, due: number[]): Promise<void> {
  const { sender, context, pool } = options;
  const waiting = due.filter((id) => !tried.has(`offline:${id}`));
  if (waiting.length === 0) return;
  // Without a cosigner's statement a node waits.
  const statements = (await readOffline(pool, waiting)).slice(0, 500);
  const nodes = statements.map(({ nodeId }) => nodeId);
  if (nodes.length === 0) return;
  for (const id of nodes) tried.set(`offline:${id}`, performance.now());
  const { hash } = await sender.send({
    kind: "failover.offline",
    contract: "ComputeNode",
    functionName: "markOffline",
    args: [statements],
  });
  context.logger.warn({ event: "nodes_marked_offline", nodes, hash });
}
