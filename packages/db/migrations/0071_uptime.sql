-- Up Migration
-- Additive
-- Closed days: the root over the uptime of all nodes, and the leases to refund. All of it can be recomputed from schema
-- chain.

-- Closed days, with the root over the uptime of all nodes.
create table app.uptime_day (
  day bigint primary key,
  -- null if the chain has no record of any node on this day
  root text,
  as_of_block bigint not null,
  as_of_hash text not null,
  closed_at timestamptz not null default now()
);

-- Downtime of leases by day, with proofs. pomc submits it to Escrow.refundDowntime on the next day.
create table app.downtime (
  day bigint not null references app.uptime_day on delete cascade,
  workspace_id numeric(20, 0) not null,
  replica integer not null,
  lease bigint not null,
  node_id bigint not null,
  authorization_id numeric(20, 0) not null,
  rate numeric(78, 0) not null,
  down_seconds integer not null check (down_seconds > 0),
  proof text[] not null,
  -- The custom error if the contract refused the refund.
  refused_with text,
  primary key (day, workspace_id, replica, lease)
);

grant select, insert on app.uptime_day to ngpu_pomc;
grant select, insert, update on app.downtime to ngpu_pomc;
grant select on app.uptime_day, app.downtime to ngpu_api;

-- Down Migration
