-- Up Migration
-- Additive

-- What each partner said of an image that it registered, or its manifest where the registry serves it. The chain keeps what the
-- first account said of a digest, whoever that is; nothing relies on it.
create table app.image (
  wallet text not null,
  digest text not null,
  size_bytes numeric(20) not null,
  chunk_root text not null,
  reference text not null,
  -- The size is the verified manifest's.
  verified boolean not null,
  registered_at timestamptz not null default now(),
  primary key (wallet, digest)
);

grant select, insert, update on app.image to ngpu_api;

-- Down Migration
