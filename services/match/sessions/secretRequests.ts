import type { Database } from "@ngpu/db/pool";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { Hex } from "viem";
import type { Session, SessionMessage } from "./session.ts";
import type { Sessions } from "./sessions.ts";

type SecretRequest = Extract<SessionMessage, { type: "secrets" }>;

/** Requests of one node that wait for an answer, at most. A node has few leases that start at the same time. */
const maxOpen = 256;

/**
 * Stores a node's request for the secrets of a lease in place of its earlier one. Whether the node has the lease is decided where the
 * secrets are: match can read none.
 */
export async function storeSecretRequest(
  pool: Database,
  { subjectId }: Session,
  { workspaceId, replica, lease, fence, key, signature }: SecretRequest,
): Promise<void> {
  if (subjectId === null) return;
  await pool.query(
    `with stored as (
       insert into app.secret_request (node_id, workspace_id, replica, lease, fence, key, signature)
       select $1, $2, $3, $4, $5, $6, $7
       where (select count(*) from app.secret_request where node_id = $1) < $8
       on conflict (node_id, workspace_id, replica, lease) do update set fence = excluded.fence, key = excluded.key,
         signature = excluded.signature, asked_at = now(), sealed = null, refused = null, names = null
       returning node_id
     )
     select pg_notify('app_changed', 'secret_request') from stored`,
    [subjectId, workspaceId, replica, lease, fence.toLowerCase(), key.toLowerCase(), signature, maxOpen],
  );
}

type Answer = {
  node_id: number;
  workspace_id: string;
  replica: number;
  lease: number;
  key: Hex;
  sealed: Buffer | null;
  refused: string | null;
  names: string[] | null;
};

/** Sends the answers to requests of the nodes with a session on this instance, and deletes them. */
export function startSecretAnswers(parts: {
  context: ServiceContext;
  pool: Database;
  sessions: Pick<Sessions, "ofSubject">;
}): Loop {
  const { context, pool, sessions } = parts;
  const { logger, signal } = context;
  return startLoop({ name: "secretAnswers", logger, signal, interval: 2_000 }, async () => {
    const { rows } = await pool.query<Answer>(
      `select node_id, workspace_id::text, replica, lease::int4 as lease, key, sealed, refused, names
       from app.secret_request where sealed is not null or refused is not null limit 500`,
    );
    const sent = rows.filter((row) => {
      const session = sessions.ofSubject("node", row.node_id);
      if (session === undefined) return false;
      session.send({
        type: "secrets",
        workspaceId: BigInt(row.workspace_id),
        replica: row.replica,
        lease: row.lease,
        key: row.key,
        ...(row.sealed === null ? {} : { sealed: row.sealed.toString("base64") }),
        ...(row.refused === null ? {} : { refused: row.refused }),
        ...(row.names === null ? {} : { names: row.names }),
      });
      return true;
    });
    if (sent.length > 0) await deleteRequests(pool, sent);
  });
}

/** Deletes requests that were answered, unless the node has asked again with another key. */
async function deleteRequests(pool: Database, answered: readonly Answer[]): Promise<void> {
  await pool.query(
    `delete from app.secret_request as request
     using unnest($1::int4[], $2::numeric[], $3::int4[], $4::int8[], $5::text[])
       as sent (node_id, workspace_id, replica, lease, key)
     where request.node_id = sent.node_id and request.workspace_id = sent.workspace_id
       and request.replica = sent.replica and request.lease = sent.lease and request.key = sent.key`,
    [
      answered.map(({ node_id }) => node_id),
      answered.map(({ workspace_id }) => workspace_id),
      answered.map(({ replica }) => replica),
      answered.map(({ lease }) => lease),
      answered.map(({ key }) => key),
    ],
  );
}
