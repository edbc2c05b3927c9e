-- Up Migration
-- Breaking: measure_round is recreated with other columns.

-- A round is identified by the root over its draws, which is stored before the round is requested.
drop table app.measure_round;

-- Measurement rounds by the root over their draws, stored before the round is requested.
create table app.measure_round (
  draws text primary key,
  node_id integer not null,
  -- Address of the node when the round was requested.
  host text not null,
  port integer not null,
  token text not null,
  -- Secret until they are revealed on the chain.
  salts text[] not null,
  -- requested; open: the node starts its probe; ready: the probe responds at url; done; failed
  status text not null default 'requested' check (status in ('requested', 'open', 'ready', 'done', 'failed')),
  url text,
  failure text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index measure_round_open on app.measure_round (updated_at) where status not in ('done', 'failed');

-- Measurers that the salts of a round select, once the deciding block exists.
create table app.measure_draw (
  draws text not null references app.measure_round on delete cascade,
  position integer not null,
  measurer_id integer not null,
  -- drawn; assigned: the measurer is measuring; submitted: its result is on the chain; failed
  status text not null default 'drawn' check (status in ('drawn', 'assigned', 'submitted', 'failed')),
  failure text,
  assigned_at timestamptz,
  primary key (draws, position)
);

create index measure_draw_open on app.measure_draw (measurer_id) where status in ('drawn', 'assigned');

grant select, insert, update, delete on app.measure_round, app.measure_draw to ngpu_match;

-- Down Migration
