-- key: number
create table receipt_batch_history (
  number bigint not null,
  root text not null,
  total numeric(78,0) not null,
  valid_from bigint not null,
  valid_to bigint,
  primary key (number, valid_from)
);

-- on ReceiptsCommitted
select number, block_number, log_index, jsonb_build_object('root', root, 'total', total) as patch from event
