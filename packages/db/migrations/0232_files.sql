-- Up Migration
-- Additive

-- What partners have uploaded and batches have written. The bytes are encrypted on disk, in a file of this id.
create table app.file_content (
  id uuid primary key,
  wallet text not null references app.account,
  -- Hex, of the bytes as they were sent. Null: they are being written.
  sha256 text,
  -- While they are written: the bytes that are reserved.
  bytes bigint not null,
  -- Which of the service's keys encrypts them.
  key_id text not null,
  -- Number of the process that writes them; it holds the advisory lock of this number until it ends. Null: none does.
  runner bigint,
  -- Since when nothing refers to them: they are removed from the disk, and then the row. Null: they are kept.
  dropped_at timestamptz,
  created_at timestamptz not null default now()
);
create unique index file_content_sha256 on app.file_content (wallet, sha256) where dropped_at is null;
create index file_content_writing on app.file_content (runner) where runner is not null;
create index file_content_dropped on app.file_content (dropped_at) where dropped_at is not null;

-- A name of a content. Several files may have the same content, which is stored once.
create table app.file (
  id text primary key,
  wallet text not null references app.account,
  content_id uuid not null references app.file_content,
  filename text not null,
  purpose text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index file_wallet on app.file (wallet, created_at, id);
create index file_content_id on app.file (content_id);
create index file_expires_at on app.file (expires_at);
grant select, insert, update, delete on app.file_content, app.file to ngpu_api;

-- Down Migration
drop table app.file, app.file_content;
