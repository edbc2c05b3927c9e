-- Up Migration
-- Additive
-- Images that accounts push to the market's registry. The bytes are files of the registry.

do $$
begin
  create role ngpu_registry nologin;
exception when duplicate_object or unique_violation then
  null; -- roles are shared by all databases of a server
end
$$;
grant ngpu_reader to ngpu_registry;

-- What an account has pushed, and pays for with its quota. Several accounts may have the same blob.
create table app.registry_blob (
  account text not null references app.account,
  digest text not null,
  bytes bigint not null,
  -- When a push last uploaded it or asked for it.
  used_at timestamptz not null default now(),
  primary key (account, digest)
);
create index registry_blob_digest on app.registry_blob (digest);

-- Manifests of images, and of indexes of images.
create table app.registry_manifest (
  account text not null references app.account,
  -- The part of the repository's name after the account.
  repository text not null,
  digest text not null,
  media_type text not null,
  -- Digests of its configuration and layers.
  blobs text[] not null,
  -- Digests of the manifests that an index lists.
  manifests text[] not null,
  pushed_at timestamptz not null default now(),
  -- Since when neither a tag, nor an index, nor an open workspace names it. Null: one does, or nobody has looked yet.
  unused_since timestamptz,
  primary key (account, repository, digest)
);

-- Names of manifests, which pushes move.
create table app.registry_tag (
  account text not null,
  repository text not null,
  tag text not null,
  digest text not null,
  updated_at timestamptz not null default now(),
  primary key (account, repository, tag),
  foreign key (account, repository, digest) references app.registry_manifest on delete cascade
);

-- Uploads in progress. The bytes are in a file of this name.
create table app.registry_upload (
  id uuid primary key,
  account text not null references app.account,
  repository text not null,
  -- Bytes that are stored; counted after each request.
  bytes bigint not null default 0,
  used_at timestamptz not null default now()
);
create index registry_upload_account on app.registry_upload (account);

grant select, insert, update, delete on app.registry_blob, app.registry_manifest, app.registry_tag, app.registry_upload
  to ngpu_registry;
grant select (id, wallet, member, secret_hash, scopes, expires_at, revoked_at) on app.api_key to ngpu_registry;
grant select (account, wallet, role) on app.member to ngpu_registry;

-- Down Migration
drop table app.registry_upload, app.registry_tag, app.registry_manifest, app.registry_blob;
