-- Up Migration
-- Additive

-- Requests of a file that are run as tasks, at most once each with a result.
create table app.batch (
  id text primary key,
  wallet text not null references app.account,
  -- The key that created it: its lines run with what the key may do.
  key_id text not null references app.api_key,
  endpoint text not null,
  completion_window text not null,
  input_file_id text not null,
  -- Null: it has ended, and the input is no longer needed.
  input_content_id uuid references app.file_content,
  -- Which of the service's keys encrypts the input.
  input_key_id text not null,
  status text not null check (status in
    ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled')),
  -- What is wrong with the input: { code, line, message, param }.
  errors jsonb,
  metadata jsonb,
  -- How long the files of its results are kept.
  output_seconds integer not null default 2592000,
  output_file_id text,
  error_file_id text,
  total integer not null default 0,
  completed integer not null default 0,
  failed integer not null default 0,
  created_at timestamptz not null default now(),
  in_progress_at timestamptz,
  -- Lines that have not ended by then are not run any more.
  expires_at timestamptz not null,
  finalizing_at timestamptz,
  cancelling_at timestamptz,
  -- Completed, failed, expired or cancelled.
  ended_at timestamptz,
  -- Number of the process that runs it; it holds the advisory lock of this number until it ends. Null: none does.
  runner bigint,
  -- Not claimed before this time.
  resume_at timestamptz not null default now()
);
create index batch_wallet on app.batch (wallet, created_at, id);
create index batch_open on app.batch (created_at) where ended_at is null;
create index batch_input_content on app.batch (input_content_id) where input_content_id is not null;

-- A line of the input. Its body is in the input, its result in its task.
create table app.batch_line (
  batch_id text not null references app.batch on delete cascade,
  line integer not null,
  custom_id text not null,
  -- How often it was sent to a container, or may have been.
  attempts integer not null default 0,
  -- Its latest task.
  task_id uuid,
  -- Null: it has not ended.
  outcome text check (outcome in ('succeeded', 'failed')),
  -- Why there is no response. Null: there is one, or it has not ended.
  error_code text,
  error_message text,
  primary key (batch_id, line),
  unique (batch_id, custom_id)
);
create index batch_line_pending on app.batch_line (batch_id, line) where outcome is null;
grant select, insert, update, delete on app.batch, app.batch_line to ngpu_api;

-- Its end becomes an event, in the transaction in which it ends.
alter table app.webhook_outbox add column batch_id text;
create function app.webhook_batch_ended() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from app.webhook_audience where wallet = new.wallet and until > now()) then
    insert into app.webhook_outbox (batch_id) values (new.id);
  end if;
  return null;
end
$$;
create trigger webhook_batch_ended after update of status on app.batch
  for each row when (old.ended_at is null and new.ended_at is not null)
  execute function app.webhook_batch_ended();
grant select on app.batch to ngpu_webhooks;

-- Down Migration
drop trigger webhook_batch_ended on app.batch;
drop function app.webhook_batch_ended;
alter table app.webhook_outbox drop column batch_id;
drop table app.batch_line, app.batch;
