-- Up Migration
-- Additive
-- Secrets of wallets, and the requests of nodes for those of their leases.

-- A value that workspaces of the wallet get. It is encrypted by a key that Postgres does not have.
create table app.secret (
  wallet text not null references app.account,
  name text not null,
  -- Nonce, tag and cipher text of AES-256-GCM.
  sealed bytea not null,
  -- Which of apiServer's keys it is encrypted by.
  key_id text not null,
  bytes integer not null,
  -- Counts the values that it has had.
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (wallet, name)
);
create index secret_key on app.secret (key_id);

-- A node asks for the secrets of a lease. match stores the request and sends the answer over the node's session; apiServer checks
-- the request and seals the answer for the key in it. Both are deleted after a minute.
create table app.secret_request (
  node_id integer not null,
  workspace_id numeric(20) not null,
  replica integer not null,
  lease bigint not null,
  fence text not null,
  -- Public key that the answer is sealed for.
  key text not null,
  -- By the node's key.
  signature text not null,
  asked_at timestamptz not null default now(),
  -- The values, which only the node can open. Null: there is no answer, or a refusal.
  sealed bytea,
  refused text,
  -- Names that the refusal is about.
  names text[],
  primary key (node_id, workspace_id, replica, lease)
);

grant select, insert, update, delete on app.secret to ngpu_api;
grant select, update, delete on app.secret_request to ngpu_api;
grant select, insert, update, delete on app.secret_request to ngpu_match;

-- Down Migration
drop table app.secret_request, app.secret;
