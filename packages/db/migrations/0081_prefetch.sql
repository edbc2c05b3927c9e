-- Up Migration
-- Additive
-- Prefetched images.

-- Prefetch requests to nodes, with their outcomes.
create table app.prefetch (
  node_id integer not null,
  -- Digest of the image, as on the chain.
  image text not null,
  -- The reference that the node pulls, reference@sha256:….
  reference text not null,
  size_bytes numeric(20) not null,
  -- evicted: the node removed it to make space for other images
  status text not null default 'requested' check (status in ('requested', 'present', 'failed', 'evicted')),
  reason text,
  requested_at timestamptz not null default now(),
  settled_at timestamptz,
  -- newest exported block when the node reported the outcome; assignments after it found the image present
  settled_block numeric(20),
  primary key (node_id, image)
);
create index prefetch_requested on app.prefetch (requested_at) where status = 'requested';

-- One row: the number of assignments up to a block, by whether the image was prefetched.
create table app.prefetch_tally (
  one boolean primary key default true check (one),
  counted_block numeric(20) not null,
  hits bigint not null default 0,
  misses bigint not null default 0
);

grant select, insert, update, delete on app.prefetch, app.prefetch_tally to ngpu_match;
grant select on app.prefetch, app.prefetch_tally to ngpu_api;

-- Down Migration
