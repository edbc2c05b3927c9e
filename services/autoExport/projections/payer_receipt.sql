-- key: account, number
-- sums: amount
-- Task receipts by payer and batch: the part of what its leases cost that they account for.
create table payer_receipt (
  account text not null,
  -- The batch.
  number bigint not null,
  amount numeric(78,0) not null
);

-- on ReceiptsCommitted
-- a total is 20 bytes of account and 12 of the amount
, item as (
  select '0x' || substr(word, 3, 40) as account, number, block_number, log_index,
    ('0x' || substr(word, 43, 24))::numeric as amount
  from event cross join lateral unnest(payer_totals) as word
)
select account, number, block_number, log_index, '{}'::jsonb as patch, sum(amount) as amount
from item group by account, number, block_number, log_index
