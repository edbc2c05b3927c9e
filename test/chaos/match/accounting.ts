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

/** What the chain's own record says when it is read again from the beginning. */
export type Books = {
  assigned: number;
  released: number;
  /** Replicas that were assigned while a lease of theirs was live. */
  doubles: number;
  /** Assignments beyond what a node had left. */
  overdrawn: number;
  /** Nodes whose free capacity is not what their live leases leave. */
  misfits: number;
};

export async function readBooks(test: TestMatch): Promise<Books> {
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
  const books: Books = { assigned: 0, released: 0, doubles: 0, overdrawn: 0, misfits: 0 };
  for (const { kind, workspace_id, replica, lease, node_id, cpu } of steps) {
    const place = `${workspace_id}/${replica}`;
    books[kind] += 1;
    if (kind === "released") {
      if (live.get(place) === lease) live.delete(place);
      free.set(node_id, (free.get(node_id) ?? 0) + cpu);
      continue;
    }
    if (live.has(place)) books.doubles += 1;
    live.set(place, lease);
    const left = (free.get(node_id) ?? 0) - cpu;
    free.set(node_id, left);
    if (left < 0) books.overdrawn += 1;
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
    if (onChain.cpuMilli !== left) books.misfits += 1;
  }
  return books;
}

/** What the chain refused of assignments, by error. */
export async function readRefusals({ db }: TestMatch): Promise<Record<string, number>> {
  const { rows } = await db.query<{ error: string; count: number }>(
    `select coalesce(refused_with, 'none') as error, count(*)::int as count from app.assign_item
     where refused_with is not null group by 1 order by 2 desc`,
  );
  return Object.fromEntries(rows.map(({ error, count }) => [error, count]));
}

/** Transactions that came to nothing: a nonce was lost to another program, or a call failed as a whole. */
export async function readWaste({ db }: TestMatch): Promise<{ failed: number; reverted: number }> {
  const { rows } = await db.query<{ failed: number; reverted: number }>(
    `select count(*) filter (where status = 'failed')::int as failed, count(*) filter (where reverted)::int as reverted
     from app.transaction`,
  );
  return rows[0] ?? { failed: 0, reverted: 0 };
}

/** Where what was asked for stands, to see what holds it up. */
export async function readStandings({ db }: TestMatch): Promise<Record<string, Record<string, number>>> {
  const standings = {
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
    Object.entries(standings).map(async ([name, query]) => [name, await counted(query)] as const),
  );
  return Object.fromEntries(entries);
}
