-- Up Migration
-- Additive

-- Instances of apiServer keep keys that are used often in memory. They drop one when what it may do changes.
create function app.api_key_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_notify('app_changed', 'api_key:' || old.id);
  return null;
end
$$;
create trigger api_key_changed
  after delete or update of revoked_at, expires_at, scopes, rate_per_minute, spend_per_day on app.api_key
  for each row execute function app.api_key_changed();

-- A task that ends at once is inserted with its end.
create trigger webhook_task_inserted after insert on app.task
  for each row when (new.status not in ('queued', 'running'))
  execute function app.webhook_task_ended();

-- Down Migration
drop trigger webhook_task_inserted on app.task;
drop trigger api_key_changed on app.api_key;
drop function app.api_key_changed;
