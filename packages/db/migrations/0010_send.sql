-- Up Migration
-- Additive
-- Nonces and signed transactions.

-- Accounts that services send from, with the next nonce of each.
create table app.signer (
  address text primary key,
  -- Hash of block 0: detects that the chain was restarted.
  genesis_hash text not null,
  next_nonce bigint not null
);

-- Signed transactions, stored before they are sent. After a crash the same bytes are sent again.
create table app.transaction (
  id bigint generated always as identity primary key,
  signer text not null references app.signer,
  nonce bigint not null,
  kind text not null,
  -- A repeated send with the same key returns the first transaction; cleared when that one reverted or failed.
  dedupe_key text unique,
  to_address text not null,
  data text not null,
  gas numeric(78,0) not null,
  max_fee numeric(78,0) not null,
  max_priority_fee numeric(78,0) not null,
  -- Newest first. A stuck transaction is signed again with a higher fee under the same nonce.
  hashes text[] not null,
  raw text not null,
  signed_at timestamptz not null default now(),
  signed_block bigint not null,
  -- sent: stored, maybe broadcast; mined: has a receipt; failed: a foreign transaction used its nonce
  status text not null default 'sent' check (status in ('sent', 'mined', 'failed')),
  hash text,
  block_number bigint,
  reverted boolean,
  -- The block is finalized: no reorg can remove the transaction.
  final boolean not null default false,
  created_at timestamptz not null default now(),
  unique (signer, nonce)
);

create index transaction_sent on app.transaction (signer, nonce) where status = 'sent';
create index transaction_not_final on app.transaction (signer, nonce) where status = 'mined' and not final;

grant select, insert, update on app.signer, app.transaction to
  ngpu_match, ngpu_workspace, ngpu_dispense, ngpu_pomc, ngpu_api;

-- Down Migration
