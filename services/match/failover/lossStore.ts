import type { Database } from "@ngpu/db/pool";
import { isGood } from "@ngpu/queries/measurements";
import type { Absence } from "../sessions/absenceStore.ts";
import type { HeldLease, Online, UnreachableNode } from "./decideLosses.ts";

const proven = `exists (select from chain.measurement m where m.node_id = n.node_id and ${isGood("m")}
  and m.expires_at > extract(epoch from now()))`;

/** Rows `(node_id, gpus, cpu)`: the capacity that leases use. */
const used = `select node_id, sum(gpus)::float8 as gpus, sum(cpu_milli)::float8 as cpu
  from chain.assignment join chain.workspace using (workspace_id) where release_reason is null group by node_id`;

/** The nodes of absences, with their state on the chain. Nodes that are not on the chain are omitted. */
export async function readUnreachable(
  pool: Database,
  absences: readonly Absence[],
): Promise<UnreachableNode[]> {
  if (absences.length === 0) return [];
  const { rows } = await pool.query<Omit<UnreachableNode, "signal" | "unreachableMs">>(
    `select n.node_id::int as "nodeId", n.status, n.gpu_count::int as gpus, n.cpu_milli::int as "cpuMilli",
       json_build_object('gpus', coalesce(u.gpus, 0), 'cpuMilli', coalesce(u.cpu, 0)) as used, ${proven} as proven
     from chain.node n left join (${used}) as u using (node_id) where n.node_id = any($1)`,
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
  const { rows } = await pool.query<{ proven: boolean } & Online["all"]>(
    `select proven, count(*)::int as nodes, sum(gpus)::float8 as gpus, sum(cpu)::float8 as "cpuMilli",
       json_build_object('gpus', sum(used_gpus), 'cpuMilli', sum(used_cpu)) as used
     from (select n.gpu_count as gpus, n.cpu_milli as cpu, coalesce(u.gpus, 0) as used_gpus, coalesce(u.cpu, 0) as used_cpu,
         ${proven} as proven
       from chain.node n left join (${used}) as u using (node_id) where n.status = 'online') as online
     group by proven`,
  );
  return { all: sumOf(rows), proven: sumOf(rows.filter((row) => row.proven)) };
}

function sumOf(parts: readonly Online["all"][]): Online["all"] {
  const sum = { nodes: 0, gpus: 0, cpuMilli: 0, used: { gpus: 0, cpuMilli: 0 } };
  for (const { nodes, gpus, cpuMilli, used: usedHere } of parts) {
    sum.nodes += nodes;
    sum.gpus += gpus;
    sum.cpuMilli += cpuMilli;
    sum.used.gpus += usedHere.gpus;
    sum.used.cpuMilli += usedHere.cpuMilli;
  }
  return sum;
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
