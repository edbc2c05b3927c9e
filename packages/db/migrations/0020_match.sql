-- Up Migration
-- Additive

-- Signed messages of nodes and measurers on their way to the chain.
create table app.relay (
  id bigint generated always as identity primary key,
  kind text not null,
  signer text not null,
  message jsonb not null,
  signature text not null,
  -- EIP-712: the same message is relayed once, whoever hands it in and however often.
  digest text not null unique,
  -- Unix seconds after which the contract refuses it.
  deadline numeric(20) not null,
  status text not null default 'queued' check (status in ('queued', 'sent', 'confirmed', 'refused')),
  -- The transaction it goes with; the same batch is always sent under the same key.
  batch uuid,
  claimed_by text,
  claimed_at timestamptz,
  -- Its batch was refused as a whole: it goes by itself.
  unbatched boolean not null default false,
  tx_hash text,
  -- The contract's custom error with its values: `SequenceStale(given 3, last 4)`.
  reason text,
  created_at timestamptz not null default now(),
  settled_at timestamptz
);

create index relay_open on app.relay (id) where status in ('queued', 'sent');
create index relay_signer on app.relay (signer, kind) where status = 'sent';

-- Who holds a session with which instance; a key has one, the newest.
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

-- How far the download of an image is, as the node reports it over its session.
create table app.live_progress (
  workspace_id numeric(20) not null,
  replica integer not null,
  lease bigint not null,
  percent double precision not null,
  bytes_per_second double precision not null,
  updated_at timestamptz not null default now(),
  primary key (workspace_id, replica, lease)
);

-- Requests for a node, and what match answered. dispense asks; match answers.
create table app.placement (
  request_id uuid primary key,
  workspace_id numeric(20) not null,
  replica integer not null,
  -- Nodes that the asker has already tried.
  excluded integer[] not null default '{}',
  status text not null default 'requested'
    check (status in ('requested', 'answered', 'impossible', 'used', 'refused')),
  -- The state of the chain that the answer rests on, and its place among the answers for this workspace at that state.
  block_number bigint,
  block_hash text,
  position integer,
  node_id integer,
  ranking jsonb,
  refusals jsonb,
  requested_at timestamptz not null default now(),
  answered_at timestamptz,
  -- Filled by dispense: the transaction that assigned it, or why the chain refused.
  assign_tx text,
  refusal text
);

create index placement_requested on app.placement (requested_at) where status = 'requested';
create index placement_workspace on app.placement (workspace_id, replica, requested_at);

-- The draws of measurement rounds; secret until they are revealed on the chain.
create table app.measure_round (
  round_id numeric(20) primary key,
  node_id integer not null,
  measurer_id integer not null,
  port integer not null,
  salt text not null,
  token text not null,
  commitment text not null,
  -- drawn; committed: on the chain; ready: the probe answers at url; submitted: revealed on the chain; done; failed
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
