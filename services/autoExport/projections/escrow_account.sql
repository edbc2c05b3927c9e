-- key: account, generation
-- sums: deposited, withdrawn, settled, refunded, burned
-- Deposits of partners.
create table escrow_account (
  account text not null,
  generation smallint not null,
  deposited numeric(78,0) not null,
  withdrawn numeric(78,0) not null,
  -- What its leases paid.
  settled numeric(78,0) not null,
  -- What downtime refunds gave back of it.
  refunded numeric(78,0) not null,
  -- What was burned of its locks, for replicas that nodes waited for.
  burned numeric(78,0) not null
);
-- whose money a lease spends
create index on event_lease_opened (workspace_id, replica, lease);
create index on event_authorized (authorization_id);
-- what changed an account's balance
create index on event_authorized (owner);
create index on event_lease_opened (authorization_id);
create index on event_settled (workspace_id, replica, lease);
create index on event_deposited (account);
create index on event_withdrawn (account);
create index on event_refunded (owner);
create index on event_wait_charged (workspace_id, replica, lease);
create index on event_transfer ("from");
create index on event_transfer ("to");

-- on Deposited
select account, generation, block_number, log_index, '{}'::jsonb as patch, amount as deposited, 0 as withdrawn, 0 as settled,
  0 as refunded, 0 as burned
from event

-- on Withdrawn
select account, generation, block_number, log_index, '{}'::jsonb, 0, amount, 0, 0, 0 from event

-- on Settled
-- `offset 0` has each looked up by itself: a plain join might be planned to read every lease there ever was
select spent.owner, event.generation, event.block_number, event.log_index, '{}'::jsonb, 0, 0, event.amount, 0, 0
from event cross join lateral (
  select authorization_id from event_lease_opened as opened
  where (opened.workspace_id, opened.replica, opened.lease) = (event.workspace_id, event.replica, event.lease)
  offset 0
) as opened cross join lateral (
  select owner from event_authorized as authorized where authorized.authorization_id = opened.authorization_id
  offset 0
) as spent

-- on Refunded
select owner, generation, block_number, log_index, '{}'::jsonb, 0, 0, 0, amount, 0 from event

-- on WaitCharged
select spent.owner, event.generation, event.block_number, event.log_index, '{}'::jsonb, 0, 0, 0, 0, event.amount
from event cross join lateral (
  select authorization_id from event_lease_opened as opened
  where (opened.workspace_id, opened.replica, opened.lease) = (event.workspace_id, event.replica, event.lease)
  offset 0
) as opened cross join lateral (
  select owner from event_authorized as authorized where authorized.authorization_id = opened.authorization_id
  offset 0
) as spent
