import type { Queryable } from "@ngpu/db/pool";
import type { Replica } from "./decide.ts";

/** All replicas that are running under their highest lease, are wanted and not ordered to stop, and do not leave soon. */
export async function findRunningReplicas(db: Queryable): Promise<Replica[]> {
  const found = await db.query<{
    workspace_id: string;
    replica: number | bigint;
    lease: number | bigint;
    node_id: number | bigint;
  }>(`
    select workspace_id::text, replica, lease, node_id
    from chain.assignment as held left join app.scaling as scaling using (workspace_id)
      left join chain.workspace as workspace using (workspace_id)
    where state = 'running' and release_reason is null and desired not in ('stop', 'delete')
      and (scaling.drain_from is null or replica < scaling.drain_from)
      and (workspace.replicas is null or replica < workspace.replicas)
      and not exists (
        select from chain.assignment as newer
        where newer.workspace_id = held.workspace_id and newer.replica = held.replica
          and newer.lease > held.lease
      )`);
  return found.rows.map((row) => ({
    workspaceId: row.workspace_id,
    replica: Number(row.replica),
    lease: Number(row.lease),
    nodeId: Number(row.node_id),
  }));
}

/** The node that has a replica under its highest lease, running or not; undefined: none has. */
export async function findPlacedReplica(
  db: Queryable,
  workspaceId: string,
  replica: number,
): Promise<Replica | undefined> {
  const found = await db.query<{
    lease: number | bigint;
    node_id: number | bigint;
    release_reason: string | null;
  }>(
    `select lease, node_id, release_reason
     from chain.assignment
     where workspace_id = $1::numeric and replica = $2
     order by lease desc
     limit 1`,
    [workspaceId, replica],
  );
  const [row] = found.rows;
  if (row === undefined || row.release_reason !== null) return undefined;
  return { workspaceId, replica, lease: Number(row.lease), nodeId: Number(row.node_id) };
}

/** The id of the registered node with this key; undefined: no such node. */
export async function findNodeId(db: Queryable, key: string): Promise<number | undefined> {
  const found = await db.query<{ node_id: number | bigint }>(
    "select node_id from chain.node where key = $1 and status <> 'none'",
    [key.toLowerCase()],
  );
  const row = found.rows[0];
  return row === undefined ? undefined : Number(row.node_id);
}

/** Marks a challenge as used. False when it was used before, at any instance. */
export async function takeChallenge(db: Queryable, challenge: string, validUntil: Date): Promise<boolean> {
  const taken = await db.query(
    "insert into app.tunnel_challenge (challenge, valid_until) values ($1, $2) on conflict do nothing",
    [challenge.toLowerCase(), validUntil],
  );
  return taken.rowCount === 1;
}

/**
 * Replaces the instance's rows with its currently open tunnels, and deletes expired challenges.
 */
export async function reconcileTunnels(
  db: Queryable,
  self: { instance: string; url: string },
  open: { nodeId: number; connectedAt: Date }[],
): Promise<void> {
  const nodeIds = open.map((tunnel) => tunnel.nodeId);
  await db.query("delete from app.tunnel where instance = $1 and node_id <> all($2::bigint[])", [
    self.instance,
    nodeIds,
  ]);
  await db.query(
    `insert into app.tunnel (node_id, instance, url, connected_at)
     select node_id, $3, $4, connected_at from unnest($1::bigint[], $2::timestamptz[]) as held (node_id, connected_at)
     on conflict (node_id, instance)
     do update set url = excluded.url, connected_at = excluded.connected_at, seen_at = now()`,
    [nodeIds, open.map((tunnel) => tunnel.connectedAt), self.instance, self.url],
  );
  await db.query("delete from app.tunnel_challenge where valid_until < now()");
}
