-- Up Migration
-- Additive
-- Partners and what they did over the API. Private by nature: none of it is on the chain.

-- Partners that have signed in.
create table app.account (
  wallet text primary key check (wallet = lower(wallet)),
  created_at timestamptz not null default now()
);

-- API keys of partners, without their secrets.
create table app.api_key (
  -- The part of the key before its secret; shown in lists and looked up by.
  id text primary key,
  wallet text not null references app.account,
  name text not null,
  -- sha256 of 256 random bits: nothing to guess, so nothing slow is needed.
  secret_hash bytea not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_key_wallet on app.api_key (wallet, created_at);

-- Challenges of sign-in with Ethereum; each is deleted by the sign-in that uses it.
create table app.siwe_nonce (
  nonce text primary key,
  expires_at timestamptz not null
);
create index siwe_nonce_expires_at on app.siwe_nonce (expires_at);

-- What a partner calls its workspaces.
create table app.workspace_name (
  workspace_id numeric(20,0) primary key,
  wallet text not null,
  name text not null
);
create index workspace_name_wallet on app.workspace_name (wallet, name);

-- One Idempotency-Key stands for one request of a partner, whatever comes of it.
create table app.idempotency_key (
  wallet text not null,
  key text not null,
  request_hash text not null,
  created_at timestamptz not null default now(),
  primary key (wallet, key)
);

-- Tasks of partners, with what was asked and what was answered.
create table app.task (
  id uuid primary key,
  wallet text not null,
  key_id text not null,
  workspace_id numeric(20,0) not null,
  -- task: POST /v1/tasks; chat: POST /v1/chat/completions
  kind text not null check (kind in ('task', 'chat')),
  method text not null,
  path text not null,
  -- json, not jsonb: what partners send may hold characters that jsonb refuses.
  input json,
  status text not null default 'queued' check (status in ('queued', 'running', 'succeeded', 'failed')),
  -- Advisory lock held by the process that runs it: free means that process is gone.
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

-- Every call of the partner API.
create table app.call (
  -- What the answer showed as x-request-id.
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
