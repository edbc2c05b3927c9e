import type { Queryable } from "@ngpu/db/pool";
import { type ExecEndReason, execKept } from "@ngpu/protocol/exec";

export type ExecRow = {
  id: string;
  replica: number;
  lease: string | null;
  node_id: number | null;
  key_id: string;
  command: string[];
  tty: boolean;
  created_at: Date;
  ended_at: Date | null;
  end_reason: ExecEndReason | null;
  exit_code: number | null;
};

export async function insertExecSession(
  db: Queryable,
  session: {
    id: string;
    workspaceId: string;
    replica: number;
    wallet: string;
    keyId: string;
    command: readonly string[];
    tty: boolean;
  },
): Promise<void> {
  await db.query(
    `insert into app.exec_session (id, workspace_id, replica, wallet, key_id, command, tty)
     values ($1, $2::numeric, $3, $4, $5, $6, $7)`,
    [
      session.id,
      session.workspaceId,
      session.replica,
      session.wallet,
      session.keyId,
      session.command,
      session.tty,
    ],
  );
}

/** Records the node that has taken the order. */
export async function placeExecSession(
  db: Queryable,
  id: string,
  on: { lease: number; nodeId: number },
): Promise<void> {
  await db.query("update app.exec_session set lease = $2, node_id = $3 where id = $1", [
    id,
    on.lease,
    on.nodeId,
  ]);
}

/** Records whether a client is attached. */
export async function markExecAttached(db: Queryable, id: string, isAttached: boolean): Promise<void> {
  await db.query(
    "update app.exec_session set left_at = case when $2 then null else now() end where id = $1",
    [id, isAttached],
  );
}

/** Records the end of a session. The first end counts. */
export async function endExecSession(
  db: Queryable,
  id: string,
  end: { reason: ExecEndReason; exitCode: number | null },
): Promise<void> {
  await db.query(
    `update app.exec_session set ended_at = now(), end_reason = $2, exit_code = $3
     where id = $1 and ended_at is null`,
    [id, end.reason, end.exitCode],
  );
}

/** A session whose client stayed away has ended on its node, which reports it to nobody. */
const columns = `
  id, replica, lease::text, node_id, key_id, command, tty, created_at,
  coalesce(ended_at, gone.at) as ended_at,
  case when ended_at is not null then end_reason when gone.at is not null then 'client_away' end as end_reason,
  exit_code`;
const source = `
  app.exec_session
  cross join lateral (
    select case when left_at < now() - ${execKept} * interval '1 ms'
      then left_at + ${execKept} * interval '1 ms' end as at
  ) as gone`;

/** The newest sessions of a workspace. */
export async function listExecSessions(
  db: Queryable,
  workspaceId: string,
  limit: number,
): Promise<ExecRow[]> {
  const { rows } = await db.query<ExecRow>(
    `select ${columns} from ${source} where workspace_id = $1::numeric order by created_at desc, id limit $2`,
    [workspaceId, limit],
  );
  return rows;
}

export async function findExecSession(
  db: Queryable,
  workspaceId: string,
  id: string,
): Promise<ExecRow | undefined> {
  const { rows } = await db.query<ExecRow>(
    `select ${columns} from ${source} where workspace_id = $1::numeric and id = $2`,
    [workspaceId, id],
  );
  return rows[0];
}
