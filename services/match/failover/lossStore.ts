import type { Database } from "@ngpu/db/pool";
import { isGood } from "@ngpu/queries/measurements";
import type { Absence } from "../sessions/absenceStore.ts";
import type { HeldLease, Online, UnreachableNode } from "./decideLosses.ts";

const proven = `exists (select from chain.measurement m where m.node_id = n.node_id and ${isGood("m")}
  and m.expires_at > extract(epoch from now()))`;

/** The nodes of absences, with their state on the chain. Nodes that are not on the chain are omitted. */
export async function readUnreachable(
  pool: Database,
  absences: readonly Absence[],
): Promise<UnreachableNode[]> {
  if (absences.length === 0) return [];
  const { rows } = await pool.query<Omit<UnreachableNode, "signal" | "unreachableMs">>(
    `select n.node_id::int as "nodeId", n.status, n.gpu_count::int as gpus, n.cpu_milli::int as "cpuMilli",
       ${proven} as proven
     from chain.node n where n.node_id = any($1)`,
    [absences.map((one) => one.nodeId)],
  );
  const byId = new Map(absences.map((one) => [one.nodeId, one]));
  return rows.flatMap((row) => {
    const absence = byId.get(row.nodeId);
    return absence === undefined
      ? []
      : [{ ...row, signal: absence.signal, unreachableMs: absence.unreachableMs }];
  });
}

/** The online capacity. Reads all nodes, so do not call it often. */
export async function readOnline(pool: Database): Promise<Online> {
  const { rows } = await pool.query<{
    nodes: number;
    gpus: number;
    cpu: number;
    proven_gpus: number;
    proven_cpu: number;
  }>(
    `select count(*)::int as nodes, coalesce(sum(gpus), 0)::float8 as gpus, coalesce(sum(cpu), 0)::float8 as cpu,
       coalesce(sum(gpus) filter (where proven), 0)::float8 as proven_gpus,
       coalesce(sum(cpu) filter (where proven), 0)::float8 as proven_cpu
     from (select n.gpu_count as gpus, n.cpu_milli as cpu, ${proven} as proven
       from chain.node n where n.status = 'online') as online`,
  );
  const row = rows[0] ?? { nodes: 0, gpus: 0, cpu: 0, proven_gpus: 0, proven_cpu: 0 };
  return {
    nodes: row.nodes,
    all: { gpus: row.gpus, cpuMilli: row.cpu },
    proven: { gpus: row.proven_gpus, cpuMilli: row.proven_cpu },
  };
}

/** The leases held by nodes. */
export async function heldLeases(pool: Database, nodeIds: number[]): Promise<HeldLease[]> {
  if (nodeIds.length === 0) return [];
  const { rows } = await pool.query<HeldLease>(
    `select a.workspace_id::numeric as "workspaceId", a.replica::int, a.lease::int, a.node_id::int as "nodeId", a.state,
       w.policy, a.lost_until::float8 as "lostUntil"
     from chain.assignment a join chain.workspace w using (workspace_id)
     where a.release_reason is null and a.node_id = any($1) order by a.workspace_id, a.replica`,
    [nodeIds],
  );
  return rows;
}
