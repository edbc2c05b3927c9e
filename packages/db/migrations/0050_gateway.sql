-- Up Migration
-- Additive
-- Tunnels of nodes and the gateway instances that hold them. A node may have a tunnel at each of several instances. A
-- row whose seen_at is older than a minute belongs to an instance that died.

-- Tunnels of nodes and the gateway instances that hold them.
create table app.tunnel (
  node_id bigint not null,
  instance text not null,
  url text not null,
  connected_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  primary key (node_id, instance)
);

-- Challenges of recently opened tunnels. A signature opens one tunnel, at any instance.
create table app.tunnel_challenge (
  challenge text primary key,
  valid_until timestamptz not null
);
create index tunnel_challenge_valid_until on app.tunnel_challenge (valid_until);

grant select, insert, update, delete on app.tunnel, app.tunnel_challenge to ngpu_gateway;
grant select on app.tunnel to ngpu_api;

-- Down Migration
