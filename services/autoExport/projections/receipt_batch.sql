-- key: number
-- Roots over task receipts.
create table receipt_batch (
  number bigint not null,
  root text not null,
  total numeric(78,0) not null
);

-- on ReceiptsCommitted
select number, block_number, log_index, jsonb_build_object('root', root, 'total', total) as patch from event
