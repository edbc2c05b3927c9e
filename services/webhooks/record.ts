import { randomUUID } from "node:crypto";
import { type Connection, type Database, transaction } from "@ngpu/db/pool";
import type { WebhookEventType } from "@ngpu/protocol/webhooks";
import { toJson } from "@ngpu/runtime/json";
import { chainEvents } from "./chainEvents.ts";
import type { Happening } from "./happening.ts";
import { outboxEvents } from "./outboxEvents.ts";

/** What one transaction takes of each source. */
const batch = 500;

/**
 * Turns what has happened into events and their deliveries. The events, their deliveries and the place in the sources are stored in one
 * transaction, one at a time on all instances: positions are in the order of the commits.
 *
 * @param retryHours Hours that a delivery is retried.
 * @returns The types of the events.
 */
export async function recordEvents(db: Database, retryHours: number): Promise<WebhookEventType[]> {
  const recorded: WebhookEventType[] = [];
  for (;;) {
    const round = await transaction(db, async (connection) => {
      const { rows } = await connection.query<{ locked: boolean }>(
        "select pg_try_advisory_xact_lock(hashtextextended('webhook_events', 0)) as locked",
      );
      if (rows[0]?.locked !== true) return undefined;
      const outbox = await outboxEvents(connection, batch);
      const chain = await chainEvents(connection, batch);
      const types = await insertEvents(connection, [...outbox.happenings, ...chain.happenings], retryHours);
      return { types, more: outbox.more || chain.more };
    });
    recorded.push(...(round?.types ?? []));
    if (round?.more !== true) return recorded;
  }
}

async function insertEvents(
  db: Connection,
  happenings: readonly Happening[],
  retryHours: number,
): Promise<WebhookEventType[]> {
  if (happenings.length === 0) return [];
  const events = happenings.map((happening) => ({ id: randomUUID(), ...happening }));
  const { rows } = await db.query<{ type: WebhookEventType }>(
    `with given as (
       select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
         as given (id, wallet, type, body, source_key, turn)
     ), event as (
       insert into app.webhook_event (id, wallet, type, body, source_key)
       select id, wallet, type, body, source_key from given order by turn on conflict (source_key) do nothing
       returning id, wallet, type
     ), delivery as (
       insert into app.webhook_delivery (endpoint_id, event_id, expires_at)
       select endpoint.id, event.id, now() + make_interval(secs => $6 * 3600.0)
       from event join app.webhook_endpoint as endpoint on endpoint.wallet = event.wallet
       where endpoint.disabled_at is null and (endpoint.events is null or event.type = any(endpoint.events))
     )
     select type from event`,
    [
      events.map(({ id }) => id),
      events.map(({ wallet }) => wallet),
      events.map(({ type }) => type),
      events.map(bodyOf),
      events.map(({ sourceKey }) => sourceKey),
      retryHours,
    ],
  );
  return rows.map(({ type }) => type);
}

function bodyOf({ id, type, at, data }: Happening & { id: string }): string {
  return toJson({ id, type, timestamp: at.toISOString(), data });
}
