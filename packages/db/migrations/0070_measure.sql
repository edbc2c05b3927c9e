-- Up Migration
-- Breaking: measure_round is made again with other columns.

-- Rounds are known by the root over their draws, which is made and stored before the round is requested.
drop table app.measure_round;

-- Measurement rounds by the root over their draws, stored before the round is requested.
create table app.measure_round (
  draws text primary key,
  node_id integer not null,
  -- Under which the node was reached when the round was requested.
  host text not null,
  port integer not null,
  token text not null,
  -- Secret until they are revealed on the chain.
  salts text[] not null,
  -- asked; open: the node is to run its probe; ready: the probe answers at url; done; failed
  status text not null default 'requested' check (status in ('requested', 'open', 'ready', 'done', 'failed')),
  url text,
  failure text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index measure_round_open on app.measure_round (updated_at) where status not in ('done', 'failed');

-- Whom a round's salts draw, once the deciding block is there.
create table app.measure_draw (
  draws text not null references app.measure_round on delete cascade,
  position integer not null,
  measurer_id integer not null,
  -- drawn; told: the measurer is at it; submitted: its result is on the chain; failed
  status text not null default 'drawn' check (status in ('drawn', 'assigned', 'submitted', 'failed')),
  failure text,
  assigned_at timestamptz,
  primary key (draws, position)
);

create index measure_draw_open on app.measure_draw (measurer_id) where status in ('drawn', 'assigned');

grant select, insert, update, delete on app.measure_round, app.measure_draw to ngpu_match;

-- Down Migration
