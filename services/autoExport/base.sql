-- Made by autoExport in its schema before the event tables. Names are found by the search path, so that the
-- same statements can build a second copy elsewhere and compare.

-- What the rows were read from and by which definitions: when either differs, all of it is built anew.
create table origin (
  chain_id bigint not null,
  start_block bigint not null,
  start_hash text not null,
  contracts jsonb not null,
  definitions text not null,
  -- Counts the definitions; services built for compatible_since or a later version can read them.
  version integer not null,
  compatible_since integer not null
);

-- Where each contract is and where those are that it replaced: 1 is the oldest. Rows of events name it by this number.
create table contract (
  name text not null,
  generation smallint not null,
  address text not null,
  primary key (name, generation)
);

-- Every block since the deployment.
create table block (
  number bigint primary key,
  hash text not null,
  parent_hash text not null,
  time timestamptz not null
);
create index on block (time);

-- The unsafe head is the cursor: the last block whose rows are here.
create table head (
  tier text primary key check (tier in ('unsafe', 'safe', 'finalized')),
  number bigint not null,
  hash text not null
);

-- The last block whose rows were compared with its receipts: one row, or none yet.
create table audit (
  singular boolean primary key default true check (singular),
  number bigint not null
);

-- Logs that could not be stored as rows of their event. They change no other row; everything else of their block is stored.
create table set_aside (
  block_number bigint not null,
  block_hash text not null,
  block_time timestamptz not null,
  tx_hash text not null,
  log_index integer not null,
  generation smallint not null,
  contract text not null,
  event text not null,
  -- event_undecodable, enum_value_unknown, or a SQLSTATE.
  code text not null,
  reason text not null,
  topics text[] not null,
  data text not null,
  primary key (block_number, log_index)
);

-- How final the records of a block are. Bound to its table here, whatever the caller's search path.
create function tier(block_number bigint) returns text language sql stable parallel safe
begin atomic
  select case
    when block_number <= (select number from head where head.tier = 'finalized') then 'finalized'
    when block_number <= (select number from head where head.tier = 'safe') then 'safe'
    else 'unsafe'
  end;
end;

-- An address, null when it is zero.
create function account(address text) returns text language sql immutable parallel safe
return nullif(address, '0x0000000000000000000000000000000000000000');

-- Two letters; null when zero; any other bytes as they are, since nobody forbids them.
create function region(code text) returns text language sql immutable parallel safe
return case
  when code = '0x0000' then null
  when code ~ '^0x(4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]){2}$' then convert_from(decode(substr(code, 3), 'hex'), 'UTF8')
  else code
end;

-- Patches one after the other: a later one's fields win.
create aggregate fold(jsonb) (sfunc = jsonb_concat, stype = jsonb, initcond = '{}');
