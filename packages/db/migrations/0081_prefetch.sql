-- Up Migration
-- Additive
-- Images that nodes were asked to bring ahead of demand, and what came of it.

-- Images that nodes fetch ahead of demand, and what came of each.
create table app.prefetch (
  node_id integer not null,
  -- Digest of the image, as the chain has it.
  image text not null,
  -- reference@sha256:…, what the node pulls.
  reference text not null,
  size_bytes numeric(20) not null,
  -- evicted: the node took it off again for others
  status text not null default 'requested' check (status in ('requested', 'present', 'failed', 'evicted')),
  reason text,
  requested_at timestamptz not null default now(),
  settled_at timestamptz,
  -- newest exported block when the node said so: assignments after it found the image there
  settled_block numeric(20),
  primary key (node_id, image)
);
create index prefetch_requested on app.prefetch (requested_at) where status = 'requested';

-- One row: assignments up to a block, by whether the image was there ahead of them.
create table app.prefetch_tally (
  one boolean primary key default true check (one),
  counted_block numeric(20) not null,
  hits bigint not null default 0,
  misses bigint not null default 0
);

grant select, insert, update, delete on app.prefetch, app.prefetch_tally to ngpu_match;
grant select on app.prefetch, app.prefetch_tally to ngpu_api;

-- Down Migration
