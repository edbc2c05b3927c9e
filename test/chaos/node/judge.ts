import type Docker from "dockerode";
import type { TestMatch } from "../../services/match/setup.ts";
import type { Workspace } from "./leases.ts";

/** The containers of the trial's node by `workspaceId/replica/lease`, with the engine's state; others by name. */
export async function containersOf(docker: Docker, market: string): Promise<[string, string][]> {
  const label = [`ngpu.market=${market}`];
  const found = await docker.listContainers({ all: true, filters: { label } });
  return found.map(({ Labels, Names, State }) => [
    "ngpu.lease" in Labels
      ? `${Labels["ngpu.workspace"]}/${Labels["ngpu.replica"]}/${Labels["ngpu.lease"]}`
      : String(Names[0]),
    State,
  ]);
}

/** Number of workspaces with more than one container. */
export function doublesIn(containers: readonly [string, string][]): number {
  const replicas = Map.groupBy(containers, ([lease]) => lease.split("/").slice(0, 2).join("/"));
  return [...replicas.values()].filter((group) => group.length > 1).length;
}

/** What the chain says of the leases: none may have ended, stopped or failed without an order for itself. */
export async function readHistory({ db }: TestMatch, steady: Workspace) {
  const { rows } = await db.query<
    Record<"leases" | "unordered" | "failed" | "steadyFailed" | "steadyLeases", number>
  >(
    `select
       (select count(*)::int from chain.event_assigned) as leases,
       (select count(*)::int from chain.event_released as r where not exists (select from chain.event_delete_requested as d
          where (d.workspace_id, d.replica, d.lease) = (r.workspace_id, r.replica, r.lease)))
       + (select count(*)::int from chain.event_state_changed as s where s.state::text in ('stopped', 'deleted')
          and not exists (select from chain.event_stop_requested as o
            where (o.workspace_id, o.replica, o.lease) = (s.workspace_id, s.replica, s.lease))
          and not exists (select from chain.event_delete_requested as o
            where (o.workspace_id, o.replica, o.lease) = (s.workspace_id, s.replica, s.lease))) as unordered,
       (select count(*)::int from chain.event_state_changed where state::text = 'failed') as failed,
       (select count(*)::int from chain.event_state_changed where state::text = 'failed' and workspace_id = $1)
         as "steadyFailed",
       (select count(*)::int from chain.event_assigned where workspace_id = $1) as "steadyLeases"`,
    [steady.id],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("The history has no row.");
  return row;
}

/** The events of leases that ended or failed, with their orders, for whoever looks for the cause of a violation. */
export async function readEnds({ db }: TestMatch): Promise<string[]> {
  const { rows } = await db.query<{ line: string }>(
    `select block_number || ' ' || event || ' ' || workspace_id || '/' || lease || ' ' || detail as line from (
       select block_number, log_index, 'released' as event, workspace_id, lease, reason::text as detail
         from chain.event_released
       union all select block_number, log_index, 'state', workspace_id, lease, state::text from chain.event_state_changed
       union all select block_number, log_index, 'stop requested', workspace_id, lease, '' from chain.event_stop_requested
       union all select block_number, log_index, 'delete requested', workspace_id, lease, ''
         from chain.event_delete_requested) as happened
     order by block_number, log_index`,
  );
  return rows.map(({ line }) => line);
}
