import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { TestMatch } from "../../services/match/setup.ts";

type Step = {
  kind: "assigned" | "released";
  workspace_id: bigint;
  replica: number;
  lease: number;
  node_id: number;
  cpu: number;
};

/** The accounting of leases, replayed from the chain's events. */
export type Accounting = {
  assigned: number;
  released: number;
  /** Assignments of replicas with a live lease. */
  doubles: number;
  /** Assignments beyond a node's free capacity. */
  overdrawn: number;
  /** Nodes whose free capacity on the chain differs from the accounting. */
  mismatches: number;
};

export async function readAccounting(test: TestMatch): Promise<Accounting> {
  const { rows: steps } = await test.db.query<Step>(
    `select * from (
       select 'assigned' as kind, a.block_number, a.log_index, a.workspace_id::numeric, a.replica::int, a.lease::int,
         a.node_id::int, w.cpu_milli::int as cpu
       from chain.event_assigned a join chain.workspace w using (workspace_id)
       union all
       select 'released', r.block_number, r.log_index, r.workspace_id::numeric, r.replica::int, r.lease::int,
         r.node_id::int, w.cpu_milli::int
       from chain.event_released r join chain.workspace w using (workspace_id)) as step
     order by block_number, log_index`,
  );
  const { rows: nodes } = await test.db.query<{ node_id: number; cpu: number }>(
    "select node_id::int, cpu_milli::int as cpu from chain.node",
  );
  const free = new Map(nodes.map(({ node_id, cpu }) => [node_id, cpu]));
  const live = new Map<string, number>();
  const accounting: Accounting = { assigned: 0, released: 0, doubles: 0, overdrawn: 0, mismatches: 0 };
  for (const { kind, workspace_id, replica, lease, node_id, cpu } of steps) {
    const place = `${workspace_id}/${replica}`;
    accounting[kind] += 1;
    if (kind === "released") {
      if (live.get(place) === lease) live.delete(place);
      free.set(node_id, (free.get(node_id) ?? 0) + cpu);
      continue;
    }
    if (live.has(place)) accounting.doubles += 1;
    live.set(place, lease);
    const left = (free.get(node_id) ?? 0) - cpu;
    free.set(node_id, left);
    if (left < 0) accounting.overdrawn += 1;
  }
  const { client, deployment } = test.market;
  for (const [nodeId, left] of free) {
    const address = deployment.contracts.ComputeNode;
    const onChain = await client.readContract({
      address,
      abi: computeNodeAbi,
      functionName: "freeOf",
      args: [nodeId],
    });
    if (onChain.cpuMilli !== left) accounting.mismatches += 1;
  }
  return accounting;
}

/** Number of reverted assignments, by error. */
export async function readRefusals({ db }: TestMatch): Promise<Record<string, number>> {
  const { rows } = await db.query<{ error: string; count: number }>(
    `select coalesce(refused_with, 'none') as error, count(*)::int as count from app.assign_item
     where refused_with is not null group by 1 order by 2 desc`,
  );
  return Object.fromEntries(rows.map(({ error, count }) => [error, count]));
}

/** Number of wasted transactions: the nonce was used by another program (`failed`), or the call reverted. */
export async function readWaste({ db }: TestMatch): Promise<{ failed: number; reverted: number }> {
  const { rows } = await db.query<{ failed: number; reverted: number }>(
    `select count(*) filter (where status = 'failed')::int as failed, count(*) filter (where reverted)::int as reverted
     from app.transaction`,
  );
  return rows[0] ?? { failed: 0, reverted: 0 };
}

/** Number of leases, nodes, absences, placements, relays and transactions by state, to diagnose a failed trial. */
export async function readStates({ db }: TestMatch): Promise<Record<string, Record<string, number>>> {
  const queries = {
    leases: "select state || ' of ' || desired from chain.assignment where release_reason is null",
    nodes: "select status from chain.node",
    absences: `select signal || case when lost_at is null then '' else ', lost' end from app.absence where back_at is null`,
    placements: "select status from app.placement where requested_at > now() - interval '2 minutes'",
    relays: "select kind || ' ' || status from app.relay",
    transactions:
      "select kind || ' ' || status from app.transaction where not coalesce(status = 'mined', false)",
  };
  const counted = async (query: string) => {
    const text = `select name, count(*)::int as count from (${query}) as one (name) group by name`;
    const { rows } = await db.query<{ name: string; count: number }>(text);
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
  };
  const entries = await Promise.all(
    Object.entries(queries).map(async ([name, query]) => [name, await counted(query)] as const),
  );
  return Object.fromEntries(entries);
}
