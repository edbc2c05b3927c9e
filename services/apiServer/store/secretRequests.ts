import type { Queryable } from "@ngpu/db/pool";
import type { Hex } from "viem";
import type { Tier } from "./escrow.ts";

/** A node's request for the secrets of a lease that it has, under the highest number of its replica. */
export type OpenRequest = {
  node_id: number;
  workspace_id: string;
  replica: number;
  lease: number;
  fence: Hex;
  key: Hex;
  signature: Hex;
  /** The node's key on the chain. */
  node_key: string;
  owner: string;
  config: string;
  /** Of the lease's assignment. */
  tier: Tier;
};

/**
 * Requests without an answer whose lease is the highest of its replica, is not ended, and is that of the node that asks, on the fork
 * that it names. Others wait: a node may know of its lease before Postgres does.
 */
export async function openRequests(db: Queryable): Promise<OpenRequest[]> {
  const { rows } = await db.query<OpenRequest>(
    `select r.node_id, r.workspace_id::text, r.replica, r.lease::int4 as lease, r.fence, r.key, r.signature,
       n.key as node_key, w.owner, w.config, chain.tier(a.assigned_block) as tier
     from app.secret_request r
     join chain.assignment a on a.workspace_id = r.workspace_id and a.replica = r.replica and a.lease = r.lease
       and a.node_id = r.node_id and a.fence = r.fence and a.release_reason is null and a.desired <> 'delete'
     join chain.node n on n.node_id = r.node_id
     join chain.workspace w on w.workspace_id = r.workspace_id and w.status = 'open'
     where r.sealed is null and r.refused is null and r.asked_at > now() - interval '1 minute'
       and not exists (select from chain.assignment later where later.workspace_id = a.workspace_id
         and later.replica = a.replica and later.lease > a.lease)
     order by r.asked_at limit 100`,
  );
  return rows;
}

export type SecretAnswer = { sealed: Buffer } | { refused: string; names: string[] };

/** Stores the answer to a request, unless the node has asked again with another key. */
export async function answerRequest(
  db: Queryable,
  { node_id, workspace_id, replica, lease, key }: OpenRequest,
  answer: SecretAnswer,
): Promise<void> {
  const { sealed, refused, names } = { sealed: null, refused: null, names: null, ...answer };
  await db.query(
    `with answered as (
       update app.secret_request set sealed = $6, refused = $7, names = $8
       where node_id = $1 and workspace_id = $2 and replica = $3 and lease = $4 and key = $5
       returning node_id
     )
     select pg_notify('app_changed', 'secret_answer') from answered`,
    [node_id, workspace_id, replica, lease, key, sealed, refused, names],
  );
}

/** Deletes a request that its node did not sign. */
export async function dropRequest(
  db: Queryable,
  { node_id, workspace_id, replica, lease, key }: OpenRequest,
): Promise<void> {
  await db.query(
    `delete from app.secret_request
     where node_id = $1 and workspace_id = $2 and replica = $3 and lease = $4 and key = $5`,
    [node_id, workspace_id, replica, lease, key],
  );
}

/** Deletes requests and answers that are older than a minute: a node that still waits has asked again. */
export async function sweepRequests(db: Queryable): Promise<void> {
  await db.query("delete from app.secret_request where asked_at < now() - interval '1 minute'");
}
