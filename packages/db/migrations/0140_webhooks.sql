-- Up Migration
-- Additive
-- Webhooks: events of tasks and workspaces that are sent to URLs of their partners.

do $$
begin
  create role ngpu_webhooks nologin;
exception when duplicate_object or unique_violation then
  null; -- roles are shared by all databases of a server
end
$$;
grant ngpu_reader to ngpu_webhooks;

-- Where a partner receives events. The secrets of its signatures are derived from keys of the services.
create table app.webhook_endpoint (
  id uuid primary key,
  wallet text not null references app.account,
  url text not null,
  description text not null,
  -- Types of the events that are sent, as packages/protocol/webhooks.ts lists them. Null: all.
  events text[],
  created_at timestamptz not null default now(),
  -- Null: it is not disabled.
  disabled_at timestamptz,
  -- gone: it answered 410; failing: no attempt succeeded for as long as one delivery is retried.
  disabled_reason text check (disabled_reason in ('partner', 'gone', 'failing')),
  -- Attempts that failed since the last one that succeeded, and the time of the first of them.
  failures integer not null default 0,
  failing_since timestamptz,
  -- No attempt before this time.
  resume_at timestamptz not null default now()
);
create index webhook_endpoint_wallet on app.webhook_endpoint (wallet, created_at);

-- Versions of an endpoint's secret. All that have not expired sign.
create table app.webhook_secret (
  endpoint_id uuid not null references app.webhook_endpoint on delete cascade,
  version integer not null,
  -- Which of the services' keys it is derived from.
  key_id text not null,
  created_at timestamptz not null default now(),
  -- Null: never.
  expires_at timestamptz,
  primary key (endpoint_id, version)
);

-- Wallets whose events are recorded: those with endpoints, and those that read events.
create table app.webhook_audience (
  wallet text primary key,
  until timestamptz not null
);

-- What happened, in the transaction in which it happened. Each row becomes an event and its deliveries, and is then deleted.
create table app.webhook_outbox (
  id bigint generated always as identity primary key,
  -- A task that has ended.
  task_id uuid,
  -- A row of app.workspace_event: a reason why a replica does not run.
  reason jsonb,
  at timestamptz not null default now()
);

-- Up to where the chain's events have become events, and the hash of that block.
create table app.webhook_cursor (
  id smallint primary key default 1 check (id = 1),
  block_number bigint not null,
  log_index integer not null,
  block_hash text not null
);

-- What webhooks send: something that happened to a task or a workspace of the wallet.
create table app.webhook_event (
  id uuid primary key,
  -- Order of the events; cursor of their readers. Given under a lock.
  position bigint generated always as identity unique,
  wallet text not null,
  type text not null,
  -- The body of its requests: the same bytes in each.
  body text not null,
  -- Identifies what happened, so that it becomes one event.
  source_key text unique,
  created_at timestamptz not null default now()
);
create index webhook_event_wallet on app.webhook_event (wallet, position);
create index webhook_event_created_at on app.webhook_event (created_at);

-- An event for an endpoint.
create table app.webhook_delivery (
  id bigint generated always as identity primary key,
  endpoint_id uuid not null references app.webhook_endpoint on delete cascade,
  event_id uuid not null references app.webhook_event on delete cascade,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,
  next_at timestamptz not null default now(),
  -- The last attempt is made at this time.
  expires_at timestamptz not null,
  -- Number of the process that makes an attempt; it holds the advisory lock of this number until it ends. Null: none does.
  runner bigint,
  claimed_at timestamptz,
  ended_at timestamptz,
  unique (endpoint_id, event_id)
);
create index webhook_delivery_due on app.webhook_delivery (endpoint_id, next_at) where status = 'pending';
create index webhook_delivery_expiry on app.webhook_delivery (expires_at) where status = 'pending';
create index webhook_delivery_claimed on app.webhook_delivery (endpoint_id) include (runner) where runner is not null;
create index webhook_delivery_list on app.webhook_delivery (endpoint_id, id);
create index webhook_delivery_event on app.webhook_delivery (event_id);

-- One request of a delivery.
create table app.webhook_attempt (
  delivery_id bigint not null references app.webhook_delivery on delete cascade,
  number integer not null,
  at timestamptz not null,
  duration_ms integer not null,
  -- Null: there was no response.
  http_status integer,
  -- Why it failed. Null: it succeeded.
  error_code text,
  primary key (delivery_id, number)
);

-- In the transaction that ends a task, at whichever service.
create function app.webhook_task_ended() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from app.webhook_audience where wallet = new.wallet and until > now()) then
    insert into app.webhook_outbox (task_id) values (new.id);
  end if;
  return null;
end
$$;
create trigger webhook_task_ended after update of status on app.task
  for each row when (old.status in ('queued', 'running') and new.status not in ('queued', 'running'))
  execute function app.webhook_task_ended();

-- In the transaction that records a reason. A repetition of a reason that still applies is not an event.
create function app.webhook_reason_recorded() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and old.ended_at is null then return null; end if;
  if exists (select from app.webhook_audience where until > now()) then
    insert into app.webhook_outbox (reason) values (to_jsonb(new));
  end if;
  return null;
end
$$;
create trigger webhook_reason_recorded after insert or update on app.workspace_event
  for each row when (new.ended_at is null)
  execute function app.webhook_reason_recorded();

grant select, insert, update, delete on app.webhook_endpoint, app.webhook_secret, app.webhook_audience, app.webhook_event,
  app.webhook_delivery to ngpu_api;
grant select on app.webhook_attempt to ngpu_api;
grant select, update on app.webhook_endpoint to ngpu_webhooks;
grant select on app.webhook_secret, app.webhook_audience to ngpu_webhooks;
grant select, insert, update, delete on app.webhook_outbox, app.webhook_cursor, app.webhook_event, app.webhook_delivery,
  app.webhook_attempt to ngpu_webhooks;
grant select (id, wallet, workspace_id, kind, status, node_id, http_status, error_code, error_message, error_hint, created_at,
  finished_at, duration_ms) on app.task to ngpu_webhooks;

-- Down Migration
drop trigger webhook_task_ended on app.task;
drop trigger webhook_reason_recorded on app.workspace_event;
drop function app.webhook_task_ended, app.webhook_reason_recorded;
drop table app.webhook_attempt, app.webhook_delivery, app.webhook_event, app.webhook_cursor, app.webhook_outbox,
  app.webhook_audience, app.webhook_secret, app.webhook_endpoint;
