-- key: account, generation
-- sums: deposited, withdrawn, settled, refunded
create table escrow_account (
  account text not null,
  generation smallint not null,
  deposited numeric(78,0) not null,
  withdrawn numeric(78,0) not null,
  settled numeric(78,0) not null,
  refunded numeric(78,0) not null
);
-- whose money a lease spends
create index on event_lease_opened (workspace_id, replica, lease);
create index on event_authorized (authorization_id);
-- what changed an account's balance
create index on event_authorized (owner);
create index on event_lease_opened (authorization_id);
create index on event_settled (workspace_id, replica, lease);

-- on Deposited
select account, generation, block_number, log_index, '{}'::jsonb as patch, amount as deposited, 0 as withdrawn, 0 as settled,
  0 as refunded
from event

-- on Withdrawn
select account, generation, block_number, log_index, '{}'::jsonb, 0, amount, 0, 0 from event

-- on Settled
-- one by one: a plain join might be planned to read every lease there ever was
select spent.owner, generation, block_number, log_index, '{}'::jsonb, 0, 0, amount, 0
from event cross join lateral (
  select authorized.owner
  from event_lease_opened as opened join event_authorized as authorized using (authorization_id)
  where opened.workspace_id = event.workspace_id and opened.replica = event.replica and opened.lease = event.lease
  offset 0
) as spent

-- on Refunded
select owner, generation, block_number, log_index, '{}'::jsonb, 0, 0, 0, amount from event
