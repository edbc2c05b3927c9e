import type { Database, Queryable } from "@ngpu/db/pool";
import { releaseAbandoned } from "@ngpu/db/runnerLock";
import { keptDays, type SecretVersion } from "@ngpu/protocol/webhooks";
import { failuresUntilProbing, type Next, type Outcome } from "./decide.ts";

/** A delivery of which this process makes the next attempt. */
export type Claim = {
  id: bigint;
  eventId: string;
  body: string;
  /** Attempts before. */
  attempts: number;
  /** Seconds until it expires. */
  remaining: number;
};

export type Endpoint = { url: string; failures: number; secrets: SecretVersion[] };

/** The endpoint, if attempts may be made now. */
export async function findEndpoint(db: Queryable, endpointId: string): Promise<Endpoint | undefined> {
  const { rows } = await db.query<Endpoint>(
    `select url, failures, (
       select json_agg(json_build_object('endpointId', endpoint_id, 'version', version, 'keyId', key_id) order by version desc)
       from app.webhook_secret where endpoint_id = id and (expires_at is null or expires_at > now())) as secrets
     from app.webhook_endpoint where id = $1 and disabled_at is null and resume_at <= now()`,
    [endpointId],
  );
  return rows[0];
}

/**
 * Claims due deliveries of an endpoint for this process.
 *
 * @param of.limit Deliveries of the endpoint that all processes together may have claimed.
 */
export async function claimDue(
  db: Queryable,
  of: { endpointId: string; runner: bigint; limit: number },
): Promise<Claim[]> {
  const { rows } = await db.query<Claim>(
    `with due as (
       select id from app.webhook_delivery
       where endpoint_id = $1 and status = 'pending' and runner is null and next_at <= now()
       order by next_at, id
       limit greatest(0, $3 - (select count(*) from app.webhook_delivery where endpoint_id = $1 and runner is not null))
       for update skip locked
     )
     update app.webhook_delivery as delivery set runner = $2, claimed_at = now()
     from due, app.webhook_event as event
     where delivery.id = due.id and event.id = delivery.event_id
     returning delivery.id, event.id as "eventId", event.body, delivery.attempts,
       extract(epoch from delivery.expires_at - now())::float8 as remaining`,
    [of.endpointId, of.runner, of.limit],
  );
  return rows;
}

/** Gives up claims of which no attempt was made. */
export async function returnClaims(db: Queryable, runner: bigint, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  await db.query(
    "update app.webhook_delivery set runner = null, claimed_at = null where runner = $1 and id = any($2::int8[])",
    [runner, ids],
  );
}

/** The end of an attempt, with what follows it. */
export type EndedAttempt = { deliveryId: bigint; at: Date; outcome: Outcome; next: Next };

const recordQuery = `with given as (
    select * from unnest($2::int8[], $3::text[], $4::float8[], $5::timestamptz[], $6::int4[], $7::int4[], $8::text[], $9::float8[],
      $10::boolean[]) as given (id, status, retry_in, at, duration_ms, http_status, error_code, resume_in, disables)
  ), delivery as (
    update app.webhook_delivery as delivery set status = given.status, attempts = attempts + 1,
      next_at = now() + make_interval(secs => given.retry_in), runner = null, claimed_at = null,
      ended_at = case when given.status = 'pending' then null else now() end
    from given where delivery.id = given.id and delivery.runner = $1
    returning delivery.endpoint_id, delivery.attempts, given.*
  ), attempt as (
    insert into app.webhook_attempt (delivery_id, number, at, duration_ms, http_status, error_code)
    select id, attempts, at, duration_ms, http_status, error_code from delivery
  ), answered as (
    select endpoint_id, bool_or(status = 'delivered') as is_well, count(*)::int4 as attempts, max(resume_in) as resume_in,
      bool_or(disables) as disables
    from delivery group by endpoint_id
  )
  update app.webhook_endpoint as endpoint set
    failures = case when is_well then 0 else failures + answered.attempts end,
    failing_since = case when is_well then null else coalesce(failing_since, now()) end,
    resume_at = case when is_well then now() else now() + make_interval(secs => answered.resume_in) end,
    disabled_at = case when disables then coalesce(disabled_at, now()) else disabled_at end,
    disabled_reason = case when disables then coalesce(disabled_reason, 'gone') else disabled_reason end
  from answered where endpoint.id = answered.endpoint_id and (failures > 0 or not is_well or disables)`;

/** Records attempts and what follows them. A claim that another process has taken over meanwhile stays as it is. */
export async function recordAttempts(
  db: Queryable,
  runner: bigint,
  ended: readonly EndedAttempt[],
): Promise<void> {
  await db.query(recordQuery, [
    runner,
    ended.map(({ deliveryId }) => deliveryId),
    ended.map(({ next }) => next.status),
    ended.map(({ next }) => next.retryIn),
    ended.map(({ at }) => at),
    ended.map(({ outcome }) => outcome.durationMs),
    ended.map(({ outcome }) => outcome.httpStatus ?? null),
    ended.map(({ outcome }) => outcome.error ?? null),
    ended.map(({ next }) => next.resumeIn),
    ended.map(({ next }) => next.disables),
  ]);
}

export type DueEndpoint = { id: string; isFailing: boolean };

/** The endpoints with due deliveries that no process has claimed. */
export async function findDueEndpoints(db: Queryable): Promise<DueEndpoint[]> {
  const { rows } = await db.query<DueEndpoint>(
    `select id, failures >= $1 as "isFailing" from app.webhook_endpoint as endpoint
     where disabled_at is null and resume_at <= now() and exists (
       select from app.webhook_delivery where endpoint_id = endpoint.id and status = 'pending' and runner is null
         and next_at <= now())
     order by random()`,
    [failuresUntilProbing],
  );
  return rows;
}

/** Releases the claims of processes that have ended, and those of this process whose answer from Postgres was lost. */
export async function releaseClaims(db: Database, self: bigint, active: Iterable<bigint>): Promise<number> {
  const others = await releaseAbandoned(db, self, {
    open: "select runner from app.webhook_delivery where runner is not null",
    release: "update app.webhook_delivery set runner = null, claimed_at = null where runner = $1",
  });
  const { rowCount } = await db.query(
    `update app.webhook_delivery set runner = null, claimed_at = null
     where runner = $1 and claimed_at < now() - interval '2 minutes' and id <> all($2::bigint[])`,
    [self, [...active]],
  );
  return others + (rowCount ?? 0);
}

/** Ends the deliveries that were not attempted at their last time, as those of disabled endpoints. */
export async function failExpired(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `update app.webhook_delivery set status = 'failed', ended_at = now()
     where status = 'pending' and runner is null and expires_at < now() - interval '1 hour'`,
  );
  return rowCount ?? 0;
}

/** Disables the endpoints at which every attempt of the last `hours` failed. */
export async function disableFailing(db: Queryable, hours: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `update app.webhook_endpoint set disabled_at = now(), disabled_reason = 'failing'
     where disabled_at is null and failing_since < now() - make_interval(secs => $1 * 3600.0) returning id`,
    [hours],
  );
  return rows.map(({ id }) => id);
}

/** Deletes events that are kept no longer, with their deliveries. @returns Number of events. */
export async function deleteOldEvents(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `delete from app.webhook_event where id in (
       select id from app.webhook_event where created_at < now() - interval '${keptDays} days' limit 5000)`,
  );
  return rowCount ?? 0;
}

/** The keys from which the secrets in use are derived. */
export async function findKeyIds(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ key_id: string }>(
    "select distinct key_id from app.webhook_secret where expires_at is null or expires_at > now()",
  );
  return rows.map((row) => row.key_id);
}
