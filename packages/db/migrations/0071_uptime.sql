-- Up Migration
-- Additive
-- What pomc closed of days: the root over every node's uptime, and the leases to refund. All of it can be computed again from
-- schema chain.

-- Days that were closed, with the root over every node's uptime.
create table app.uptime_day (
  day bigint primary key,
  -- null when the chain has nothing to say of any node
  root text,
  as_of_block bigint not null,
  as_of_hash text not null,
  closed_at timestamptz not null default now()
);

-- Downtime of a lease on a day, with its proof: what pomc submits to Escrow.refundDowntime on the next day.
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
  -- The contract's error, when it refused the refund.
  refused_with text,
  primary key (day, workspace_id, replica, lease)
);

grant select, insert on app.uptime_day to ngpu_pomc;
grant select, insert, update on app.downtime to ngpu_pomc;
grant select on app.uptime_day, app.downtime to ngpu_api;

-- Down Migration
