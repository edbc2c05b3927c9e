-- Up Migration
-- Additive
-- What shows which nodes were present in a slot, until the slot is closed.

-- What each instance that serves nodes heard in a slot, signed when the slot had ended. An instance that heard nobody says so.
create table app.heartbeat_receipt (
  slot int8 not null,
  instance text not null,
  -- [{"index": 0, "bits": "0x…"}], as under the signed root.
  words jsonb not null,
  root text not null,
  signature text not null,
  primary key (slot, instance)
);

-- Slots that a committer may not commit alone, and what a cosigner signed in their place: the same nodes and those of the receipts.
create table app.heartbeat_proposal (
  slot int8 primary key,
  encoding text not null,
  node_count integer not null,
  bits text not null
);

-- What a cosigner signed for a slot: the committer may commit exactly these bits.
create table app.heartbeat_cosigned (
  slot int8 primary key,
  encoding text not null,
  node_count integer not null,
  bits text not null,
  signature text not null
);

-- A cosigner's statements about nodes that are offline.
create table app.offline_statement (
  node_id integer primary key,
  -- Unix seconds.
  deadline int8 not null,
  signature text not null
);

grant select, insert, update, delete on app.heartbeat_receipt, app.heartbeat_proposal to ngpu_match;
grant select, insert, update, delete on app.heartbeat_cosigned, app.offline_statement to ngpu_match, ngpu_witness;
grant select on app.heartbeat_receipt, app.heartbeat_proposal to ngpu_witness;

-- Down Migration
drop table app.offline_statement, app.heartbeat_cosigned, app.heartbeat_proposal, app.heartbeat_receipt;
