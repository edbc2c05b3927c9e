-- Up Migration
-- Additive
-- Partners and their use of the API. Private data: none of it is on the chain.

-- Partners that have signed in.
create table app.account (
  wallet text primary key check (wallet = lower(wallet)),
  created_at timestamptz not null default now()
);

-- API keys of partners, without their secrets.
create table app.api_key (
  -- The part of the key before its secret. It is shown in lists and used for lookups.
  id text primary key,
  wallet text not null references app.account,
  name text not null,
  -- sha256 of 256 random bits. They cannot be guessed, so a slow hash is not needed.
  secret_hash bytea not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_key_wallet on app.api_key (wallet, created_at);

-- Challenges of Sign-In with Ethereum. A sign-in deletes its challenge.
create table app.siwe_nonce (
  nonce text primary key,
  expires_at timestamptz not null
);
create index siwe_nonce_expires_at on app.siwe_nonce (expires_at);

-- Names that partners give to their workspaces.
create table app.workspace_name (
  workspace_id numeric(20,0) primary key,
  wallet text not null,
  name text not null
);
create index workspace_name_wallet on app.workspace_name (wallet, name);

-- Idempotency-Key headers of partners. A key identifies one request, whatever its outcome.
create table app.idempotency_key (
  wallet text not null,
  key text not null,
  request_hash text not null,
  created_at timestamptz not null default now(),
  primary key (wallet, key)
);

-- Tasks of partners, with input and result.
create table app.task (
  id uuid primary key,
  wallet text not null,
  key_id text not null,
  workspace_id numeric(20,0) not null,
  -- task: POST /v1/tasks; chat: POST /v1/chat/completions
  kind text not null check (kind in ('task', 'chat')),
  method text not null,
  path text not null,
  -- json, not jsonb: input of partners may contain characters that jsonb rejects.
  input json,
  status text not null default 'queued' check (status in ('queued', 'running', 'succeeded', 'failed')),
  -- Advisory lock held by the process that runs the task. If it is free, that process has ended.
  runner bigint not null,
  node_id bigint,
  replica integer,
  lease bigint,
  http_status integer,
  result json,
  error_code text,
  error_message text,
  idempotency_key text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  duration_ms integer,
  unique (wallet, idempotency_key)
);
create index task_wallet on app.task (wallet, created_at desc);
create index task_open on app.task (runner) where status in ('queued', 'running');

-- Calls of the partner API.
create table app.call (
  -- Id of the row; the x-request-id of the response is in request_id.
  id uuid primary key,
  wallet text,
  key_id text,
  method text not null,
  -- The route's pattern, not the path: no ids, no secrets.
  route text not null,
  status integer not null,
  node_id bigint,
  duration_ms integer not null,
  at timestamptz not null default now()
);
create index call_wallet on app.call (wallet, at desc);

grant select, insert, update, delete on app.account, app.api_key, app.siwe_nonce, app.workspace_name,
  app.idempotency_key, app.task, app.call to ngpu_api;
grant select (id, wallet, workspace_id, node_id, replica, lease, kind, status, http_status, created_at, finished_at, duration_ms)
  on app.task to ngpu_pomc;

-- Down Migration
