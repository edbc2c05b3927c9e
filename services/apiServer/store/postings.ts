/**
 * SQL: the CTE `posting`, every change of a wallet's books, $1 its address in lower case. Each row changes one book. A log
 * changes up to four, `part` 0 to 3.
 *
 * The wallet's own tokens change with Transfer logs alone, so their sum is the token's balance whatever else happens. The log
 * before a transfer says what it is for: the escrow emits its event, then transfers.
 */
export const postings = `
with lease as (
  select opened.* from chain.event_authorized as granted
  join chain.event_lease_opened as opened using (authorization_id) where granted.owner = $1
), moved as (
  select transfer.*, contract.name as contract, deposited.account as deposited, withdrawn.account as withdrawn,
    collected.node_id, collected.fee
  from (
    select block_number, log_index, tx_hash, 0 as part, -value as change, "to" as counterparty
    from chain.event_transfer where "from" = $1
    union all
    select block_number, log_index, tx_hash, 1, value, "from" from chain.event_transfer where "to" = $1
  ) as transfer
  left join chain.contract as contract on contract.address = transfer.counterparty
  left join chain.event_deposited as deposited on deposited.block_number = transfer.block_number
    and deposited.log_index = transfer.log_index - 1 and deposited."from" = $1 and transfer.part = 0
  left join chain.event_withdrawn as withdrawn on withdrawn.block_number = transfer.block_number
    and withdrawn.log_index = transfer.log_index - 1 and withdrawn."to" = $1 and transfer.part = 1
  left join chain.event_collected as collected on collected.block_number = transfer.block_number
    and collected.log_index = transfer.log_index - 1 and collected."to" = $1 and transfer.part = 1
), reward as (
  select posted.block_number, posted.log_index, posted.tx_hash, epoch.number,
    leaf.cumulative - coalesce(lag(leaf.cumulative) over (partition by epoch.generation order by epoch.number), 0) as change
  from app.epoch_leaf as leaf
  join app.epoch as kept on kept.number = leaf.number
  join chain.epoch as epoch on epoch.number = leaf.number and epoch.root = kept.root
  cross join lateral (
    select block_number, log_index, tx_hash from chain.event_epoch_posted as posted
    where posted.number = epoch.number and posted.generation = epoch.generation and posted.root = epoch.root
    order by block_number desc, log_index desc limit 1
  ) as posted
  where leaf.account = $1 and not epoch.disabled
), bond as (
  select own.node_id, own.number,
    case when own.account = $1 then own.withheld else 0 end
      - case when earlier.account = $1 then earlier.withheld else 0 end as change
  from app.node_bond as own
  left join lateral (
    select account, withheld from app.node_bond as earlier
    where earlier.node_id = own.node_id and earlier.number < own.number order by earlier.number desc limit 1
  ) as earlier on true
  where own.node_id in (select node_id from app.node_bond where account = $1)
), posting as (
  select block_number, log_index, part, 'wallet' as book,
    case
      when fee is not null then 'payout'
      when contract = 'Escrow' and deposited is not null then 'deposit'
      when contract = 'Escrow' and withdrawn is not null then 'withdrawal'
      when contract = 'Pomc' and part = 1 then 'claim'
      when counterparty <> '0x0000000000000000000000000000000000000000' then 'transfer'
      when part = 1 then 'mint' else 'burn' end as kind,
    change + coalesce(fee, 0) as change, tx_hash,
    jsonb_build_object('counterparty', counterparty, 'nodeId', node_id) as subject
  from moved
  union all
  select block_number, log_index, 2, 'wallet', 'fee_burn', -fee, tx_hash, jsonb_build_object('nodeId', node_id)
  from moved where fee is not null
  union all
  select block_number, log_index, 3, 'rewards', 'claim', -change, tx_hash,
    jsonb_build_object('counterparty', counterparty)
  from moved where contract = 'Pomc' and part = 1
  union all
  select block_number, log_index, 0, 'deposit', 'deposit', amount, tx_hash, jsonb_build_object('counterparty', "from")
  from chain.event_deposited where account = $1
  union all
  select block_number, log_index, 0, 'deposit', 'withdrawal', -amount, tx_hash, jsonb_build_object('counterparty', "to")
  from chain.event_withdrawn where account = $1
  union all
  select block_number, log_index, side.part, side.book, 'lock', side.sign * lock, tx_hash, ${ofLease("lease")}
  from lease cross join (values (0, 'deposit', -1), (1, 'lock', 1)) as side (part, book, sign)
  union all
  select settled.block_number, settled.log_index, side.part, side.book, 'lease_payment',
    case side.part when 0 then settled.from_lock - settled.amount else -settled.from_lock end, settled.tx_hash,
    ${ofLease("settled")}
  from lease join chain.event_settled as settled using (workspace_id, replica, lease)
  cross join (values (0, 'deposit'), (1, 'lock')) as side (part, book)
  union all
  select waited.block_number, waited.log_index, 1, 'lock', 'lease_wait', -waited.amount, waited.tx_hash, ${ofLease("waited")}
  from lease join chain.event_wait_charged as waited using (workspace_id, replica, lease)
  union all
  select ended.block_number, ended.log_index, side.part, side.book, 'unlock', side.sign * (state.lock - state.from_lock),
    ended.tx_hash, ${ofLease("ended")}
  from lease join chain.event_lease_closed as ended using (workspace_id, replica, lease)
  join chain.lease as state using (workspace_id, replica, lease)
  cross join (values (0, 'deposit', 1), (1, 'lock', -1)) as side (part, book, sign)
  union all
  select block_number, log_index, 0, 'deposit', 'refund', amount, tx_hash,
    ${ofLease("refunded")} || jsonb_build_object('day', day::text)
  from chain.event_refunded as refunded where owner = $1
  union all
  select block_number, log_index, 0, 'rewards', 'reward', change, tx_hash, jsonb_build_object('epoch', number::text)
  from reward
  union all
  select epoch.as_of_block, 524287 + row_number() over (partition by bond.number order by bond.node_id), 0, 'bond',
    case when change < 0 then 'bond_returned' else 'bond_withheld' end, change, null,
    jsonb_build_object('nodeId', bond.node_id, 'epoch', bond.number::text)
  from bond join app.epoch as epoch using (number) where change <> 0
  union all
  select committed.block_number, committed.log_index, 0, 'tasks', 'task', paid.amount, committed.tx_hash,
    jsonb_build_object('batch', paid.number::text)
  from chain.payer_receipt as paid
  join chain.event_receipts_committed as committed
    on committed.block_number = paid.block_number and committed.log_index = paid.log_index
  where paid.account = $1
)`;

/** SQL: the lease of a row of an event. */
function ofLease(row: string): string {
  return (
    `jsonb_build_object('workspaceId', ${row}.workspace_id::text, 'replica', ${row}.replica, ` +
    `'lease', ${row}.lease, 'nodeId', ${row}.node_id)`
  );
}
