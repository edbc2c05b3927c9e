-- key: account, generation
-- sums: deposited, withdrawn, settled, refunded
create table escrow_account_history (
  account text not null,
  generation smallint not null,
  deposited numeric(78,0) not null,
  withdrawn numeric(78,0) not null,
  settled numeric(78,0) not null,
  refunded numeric(78,0) not null,
  valid_from bigint not null,
  valid_to bigint,
  primary key (account, generation, valid_from)
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
select authorized.owner, event.generation, event.block_number, event.log_index, '{}'::jsonb, 0, 0, event.amount, 0
from event
join event_lease_opened as opened using (workspace_id, replica, lease)
join event_authorized as authorized using (authorization_id)

-- on Refunded
select owner, generation, block_number, log_index, '{}'::jsonb, 0, 0, 0, amount from event
