-- key: workspace_id, replica, lease
-- sums: amount
-- Task receipts by lease: the part of its cost that they account for. The lease may be unknown: only its node's earnings are checked.
create table lease_receipt (
  workspace_id bigint not null,
  replica integer not null,
  lease bigint not null,
  amount numeric(78,0) not null
);

-- The bytes of a 32-byte word from a byte on, at most 8. Ids above the highest bigint become negative, so no log stops the export.
create function word_bits(word text, from_byte integer, bytes integer) returns bigint language sql immutable parallel safe
return ('x' || lpad(substr(word, 3 + 2 * from_byte, 2 * bytes), 16, '0'))::bit(64)::bigint;

-- on ReceiptsCommitted
, item as (
  select block_number, log_index, word_bits(word, 4, 8) as workspace_id, word_bits(word, 12, 2)::integer as replica,
    word_bits(word, 14, 4) as lease,
    ('0x' || substr(word, 43, 24))::numeric as amount
  from event cross join lateral unnest(lease_totals) as word
)
select workspace_id, replica, lease, block_number, log_index, '{}'::jsonb as patch, sum(amount) as amount
from item group by workspace_id, replica, lease, block_number, log_index
