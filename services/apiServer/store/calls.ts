import type { Queryable } from "@ngpu/db/pool";

export type CallRecord = {
  id: string;
  requestId: string;
  wallet: string | undefined;
  keyId: string | undefined;
  method: string;
  route: string;
  status: number;
  nodeId: number | undefined;
  durationMs: number;
  at: Date;
};

export async function insertCalls(db: Queryable, calls: readonly CallRecord[]): Promise<void> {
  const column = <Value>(of: (call: CallRecord) => Value) => calls.map((call) => of(call) ?? null);
  await db.query({
    name: "insert_calls",
    text: `insert into app.call (id, request_id, wallet, key_id, method, route, status, node_id, duration_ms, at)
     select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::bigint[],
       $9::integer[], $10::timestamptz[])`,
    values: [
      column(({ id }) => id),
      column(({ requestId }) => requestId),
      column(({ wallet }) => wallet),
      column(({ keyId }) => keyId),
      column(({ method }) => method),
      column(({ route }) => route),
      column(({ status }) => status),
      column(({ nodeId }) => nodeId),
      column(({ durationMs }) => durationMs),
      column(({ at }) => at),
    ],
  });
}

/**
 * Binds an Idempotency-Key to a request.
 *
 * @returns False when the partner used the key for a different request.
 */
export async function bindIdempotencyKey(
  db: Queryable,
  wallet: string,
  key: string,
  requestHash: string,
): Promise<boolean> {
  await db.query(
    "insert into app.idempotency_key (wallet, key, request_hash) values ($1, $2, $3) on conflict do nothing",
    [wallet, key, requestHash],
  );
  const { rows } = await db.query<{ request_hash: string }>(
    "select request_hash from app.idempotency_key where wallet = $1 and key = $2",
    [wallet, key],
  );
  return rows[0]?.request_hash === requestHash;
}

/** Whether any request has sent a transaction under this key. */
export async function wasSent(db: Queryable, dedupeKey: string): Promise<boolean> {
  const { rowCount } = await db.query("select from app.transaction where dedupe_key = $1", [dedupeKey]);
  return rowCount === 1;
}
