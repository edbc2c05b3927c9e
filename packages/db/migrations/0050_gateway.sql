-- Up Migration
-- Additive
-- Which gateway instance holds a node's tunnel. A node may hold one at each of several instances; a row whose seen_at
-- is older than a minute is left over from an instance that died.

-- Which gateway instance holds a node's tunnel.
create table app.tunnel (
  node_id bigint not null,
  instance text not null,
  url text not null,
  connected_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  primary key (node_id, instance)
);

-- Challenges of tunnels opened of late: a signature opens one tunnel, whichever instance sees it.
create table app.tunnel_challenge (
  challenge text primary key,
  valid_until timestamptz not null
);
create index tunnel_challenge_valid_until on app.tunnel_challenge (valid_until);

grant select, insert, update, delete on app.tunnel, app.tunnel_challenge to ngpu_gateway;
grant select on app.tunnel to ngpu_api;

-- Down Migration
