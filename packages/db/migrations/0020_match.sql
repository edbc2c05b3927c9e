-- Up Migration
-- Additive

-- Signed messages of nodes and measurers to relay to the chain.
create table app.relay (
  id bigint generated always as identity primary key,
  kind text not null,
  signer text not null,
  message jsonb not null,
  signature text not null,
  -- EIP-712 digest: a message is relayed once, however often it is submitted.
  digest text not null unique,
  -- Unix seconds after which the contract rejects it.
  deadline numeric(20) not null,
  status text not null default 'queued' check (status in ('queued', 'sent', 'confirmed', 'refused')),
  -- The batch of its transaction. A batch is always sent with the same dedupe key.
  batch uuid,
  claimed_by text,
  claimed_at timestamptz,
  -- The whole batch was refused, so it is sent in its own transaction.
  unbatched boolean not null default false,
  tx_hash text,
  -- The custom error with its values: `SequenceStale(given 3, last 4)`.
  reason text,
  created_at timestamptz not null default now(),
  settled_at timestamptz
);

create index relay_open on app.relay (id) where status in ('queued', 'sent');
create index relay_signer on app.relay (signer, kind) where status = 'sent';

-- Sessions and the instances that hold them. A key has one session, the newest.
create table app.session (
  key text primary key,
  session_id uuid not null unique,
  role text not null check (role in ('node', 'measurer')),
  -- Node or measurer id; null until its registration is on the chain.
  subject_id integer,
  instance text not null,
  host text not null,
  version text not null,
  connected_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  cpu_load double precision,
  free_disk_gib double precision,
  running text[] not null default '{}'
);

create index session_subject on app.session (role, subject_id);

-- Progress of image downloads, reported by nodes over their sessions.
create table app.live_progress (
  workspace_id numeric(20) not null,
  replica integer not null,
  lease bigint not null,
  percent double precision not null,
  bytes_per_second double precision not null,
  updated_at timestamptz not null default now(),
  primary key (workspace_id, replica, lease)
);

-- Placement requests of dispense and the decisions of match.
create table app.placement (
  request_id uuid primary key,
  workspace_id numeric(20) not null,
  replica integer not null,
  -- Nodes that dispense has already tried.
  excluded integer[] not null default '{}',
  status text not null default 'requested'
    check (status in ('requested', 'answered', 'impossible', 'used', 'refused')),
  -- The block of the decision, and its position among the decisions for this workspace at that block.
  block_number bigint,
  block_hash text,
  position integer,
  node_id integer,
  ranking jsonb,
  refusals jsonb,
  requested_at timestamptz not null default now(),
  answered_at timestamptz,
  -- Set by dispense: the transaction of the assignment, or the reason of the chain's refusal.
  assign_tx text,
  refusal text
);

create index placement_requested on app.placement (requested_at) where status = 'requested';
create index placement_workspace on app.placement (workspace_id, replica, requested_at);

-- Draws of measurement rounds, secret until they are revealed on the chain.
create table app.measure_round (
  round_id numeric(20) primary key,
  node_id integer not null,
  measurer_id integer not null,
  port integer not null,
  salt text not null,
  token text not null,
  commitment text not null,
  -- drawn; committed: on the chain; ready: the probe responds at url; submitted: revealed on the chain; done; failed
  status text not null default 'drawn'
    check (status in ('drawn', 'committed', 'ready', 'submitted', 'done', 'failed')),
  url text,
  closes_at bigint not null,
  failure text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index measure_round_open on app.measure_round (updated_at) where status not in ('done', 'failed');

grant select, insert, update on app.relay to ngpu_match;
grant select, insert on app.relay to ngpu_api;
grant select, insert, update, delete on app.session, app.live_progress, app.measure_round to ngpu_match;
grant select on app.session, app.live_progress to ngpu_api;
grant select on app.session to ngpu_gateway;
grant select, insert, update on app.placement to ngpu_dispense;
grant select, update on app.placement to ngpu_match;
grant select on app.placement to ngpu_api;

-- Down Migration
