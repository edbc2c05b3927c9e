import type { Queryable } from "@ngpu/db/pool";
import { retryHours, type WebhookEventType } from "@ngpu/protocol/webhooks";

export type AttemptRow = { at: string; ms: number; httpStatus: number | null; error: string | null };

export type DeliveryRow = {
  id: bigint;
  event_id: string;
  type: WebhookEventType;
  status: "pending" | "delivered" | "failed";
  created_at: Date;
  next_at: Date;
  attempts: AttemptRow[];
};

/** Attempts that a list shows of a delivery. */
const shownAttempts = 20;

/** The deliveries of an endpoint, newest first; only those before `after`. */
export async function listDeliveries(
  db: Queryable,
  endpointId: string,
  filter: { limit: number; after: string | undefined; status: string | undefined },
): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    `select delivery.id, event_id, event.type, status, event.created_at, next_at,
       coalesce((select json_agg(json_build_object('at', at, 'ms', duration_ms, 'httpStatus', http_status, 'error', error_code)
         order by number) from app.webhook_attempt
         where delivery_id = delivery.id and number > delivery.attempts - ${shownAttempts}), '[]') as attempts
     from app.webhook_delivery as delivery join app.webhook_event as event on event.id = event_id
     where endpoint_id = $1 and ($2::int8 is null or delivery.id < $2) and ($3::text is null or status = $3)
     order by delivery.id desc limit $4`,
    [endpointId, filter.after ?? null, filter.status ?? null, filter.limit],
  );
  return rows;
}

/** SQL: sends the events of `event` to the endpoint $1. One that is being sent already stays as it is. */
const sendEvents = `insert into app.webhook_delivery as delivery (endpoint_id, event_id, expires_at)
  select $1, event.id, now() + interval '${retryHours} hours' from event
  on conflict (endpoint_id, event_id) do update set status = 'pending', next_at = now(), ended_at = null,
    expires_at = excluded.expires_at
  where delivery.status <> 'pending'`;

/** Sends one event of the wallet to the endpoint. Undefined when there is none. @returns Number of events sent. */
export async function replayOne(
  db: Queryable,
  of: { wallet: string; endpointId: string; eventId: string },
): Promise<number | undefined> {
  const found = await db.query("select from app.webhook_event where wallet = $1 and id = $2", [
    of.wallet,
    of.eventId,
  ]);
  if (found.rowCount !== 1) return undefined;
  const { rowCount } = await db.query(
    `with event as (select id from app.webhook_event where wallet = $2 and id = $3) ${sendEvents}`,
    [of.endpointId, of.wallet, of.eventId],
  );
  return rowCount ?? 0;
}

/** Sends the wallet's events since a time to the endpoint, of the types that it receives. @returns Number of events sent. */
export async function replaySince(
  db: Queryable,
  of: { wallet: string; endpointId: string; since: Date },
): Promise<number> {
  const { rowCount } = await db.query(
    `with event as (
       select event.id from app.webhook_event as event join app.webhook_endpoint as endpoint on endpoint.id = $1
       where event.wallet = $2 and event.created_at >= $3 and (endpoint.events is null or event.type = any(endpoint.events))
       order by event.position
     ) ${sendEvents}`,
    [of.endpointId, of.wallet, of.since],
  );
  return rowCount ?? 0;
}

/** Stores an event for one endpoint. */
export async function insertTestEvent(
  db: Queryable,
  event: { id: string; wallet: string; type: WebhookEventType; body: string; endpointId: string },
): Promise<void> {
  await db.query(
    `with event as (
       insert into app.webhook_event (id, wallet, type, body) values ($2, $3, $4, $5) returning id
     ) ${sendEvents}`,
    [event.endpointId, event.id, event.wallet, event.type, event.body],
  );
}

export type EventRow = { position: bigint; body: string };

/** The events of a wallet after a place, in order. */
export async function listEvents(
  db: Queryable,
  wallet: string,
  after: bigint,
  limit: number,
): Promise<EventRow[]> {
  const { rows } = await db.query<EventRow>(
    "select position, body from app.webhook_event where wallet = $1 and position > $2 order by position limit $3",
    [wallet, after, limit],
  );
  return rows;
}

/** The place after the newest event of a wallet. */
export async function lastPosition(db: Queryable, wallet: string): Promise<bigint> {
  const { rows } = await db.query<{ position: bigint }>(
    "select coalesce(max(position), 0)::int8 as position from app.webhook_event where wallet = $1",
    [wallet],
  );
  return rows[0]?.position ?? 0n;
}
