-- key: node_id
-- sums: commits, listed, listed_before, absent, absent_before, more_present, more_total
--
-- The slots that each node was present in, as countPresence has them (packages/protocol/presence.ts), without a version for each node and
-- slot. The row of node 0 counts the slots committed, in whatever order they come. A node that begins to be absent with a commit
-- gets 1 in `absent` and the number of commits before in `absent_before`, and both are taken back when it ends: so after c commits it was
-- absent in c * absent - absent_before of them, and changes only when it comes or goes. `listed` counts the slots committed with it
-- among the nodes in the same way. `more_*` is what disputes and challenges say beyond that.
create table node_uptime (
  node_id bigint not null,
  commits bigint not null,
  listed bigint not null,
  listed_before bigint not null,
  absent bigint not null,
  absent_before bigint not null,
  more_present bigint not null,
  more_total bigint not null
);
create index on event_heartbeats_committed (slot);

-- Each node's slots as of a block, those of all time.
create function uptime_at(at_block bigint)
returns table (node_id bigint, present_slots bigint, total_slots bigint) language sql stable parallel safe
begin atomic
  with state as (
    select * from node_uptime_history where valid_from <= at_block and (valid_to is null or valid_to > at_block)
  ), slots as (
    select node.node_id, every.commits * node.listed - node.listed_before as listed,
      every.commits * node.absent - node.absent_before as absent, node.more_present, node.more_total
    from state as node cross join (select coalesce(max(state.commits), 0) as commits from state) as every
    where node.node_id > 0
  )
  select slots.node_id, listed - absent + more_present, listed + more_total from slots;
end;

-- As absenteesOf in packages/protocol/heartbeatBits.ts; bytes that don't fit, which the contract refuses, give something too.
create function absentees(encoding text, node_count bigint, bits text) returns bigint[] language plpgsql immutable parallel safe as $$
declare
  bytes bytea := decode(substr(bits, 3), 'hex');
  ids bigint[] := '{}';
  id bigint := 0;
  distance bigint := 0;
  shift integer := 0;
  byte integer;
begin
  if encoding = 'bitmap' then
    return array(
      select 8 * place + bit + 1
      from generate_series(0, (node_count + 7) / 8 - 1) as place
      cross join lateral (select case when place < length(bytes) then get_byte(bytes, place::int) else 0 end as value) as byte
      cross join generate_series(0, 7) as bit
      where value < 255 and (value >> bit) & 1 = 0 and 8 * place + bit < node_count
      order by 1);
  end if;
  for place in 0 .. length(bytes) - 1 loop
    byte := get_byte(bytes, place);
    if shift <= 28 then
      distance := distance + ((byte & 127)::bigint << shift);
    end if;
    if byte >= 128 then
      shift := shift + 7;
      continue;
    end if;
    id := id + distance;
    if distance > 0 and id <= node_count then
      ids := ids || id;
    end if;
    distance := 0;
    shift := 0;
  end loop;
  return ids;
end
$$;

-- What a slot says of a node by its commit alone, as of a place in the chain: nothing when there was none, or without the node.
create function committed_presence(of_slot numeric, of_node bigint, before_block bigint, before_log integer)
returns table (present integer, total integer) language sql stable parallel safe
begin atomic
  select coalesce(max((of_node <> all (absentees(encoding, node_count, bits)))::int), 0), count(*)::int
  from event_heartbeats_committed
  where slot = of_slot and of_node <= node_count and (block_number, log_index) < (before_block, before_log);
end;

-- on HeartbeatsCommitted
, commit as (
  select *, absentees(encoding, node_count, bits) as ids,
    coalesce((select commits from node_uptime where node_id = 0), 0)
      + row_number() over (order by block_number, log_index) - 1 as earlier
  from event
), previous as (
  select absentees(encoding, node_count, bits) as ids, node_count from event_heartbeats_committed
  where block_number < (select min(block_number) from event) order by block_number desc, log_index desc limit 1
), pair as (
  select block_number, log_index, slot, earlier, ids, node_count,
    coalesce(lag(ids) over in_order, (select ids from previous), '{}') as previous_ids,
    coalesce(lag(node_count) over in_order, (select node_count from previous), 0) as previous_count
  from commit window in_order as (order by block_number, log_index)
)
select change.node_id, block_number, log_index, '{}'::jsonb as patch, change.commits,
  change.listed, change.listed * earlier, change.absent, change.absent * earlier, change.more_present, change.more_total
from pair cross join lateral (
  select 0::bigint as node_id, 1 as commits, 0 as listed, 0 as absent, 0 as more_present, 0 as more_total
  union all
  select id, 0, 1, 0, 0, 0 from generate_series(previous_count + 1, node_count) as id
  union all
  select id, 0, -1, 0, 0, 0 from generate_series(node_count + 1, previous_count) as id
  union all
  (select id, 0, 0, 1, 0, 0 from unnest(ids) as id except all select id, 0, 0, 1, 0, 0 from unnest(previous_ids) as id)
  union all
  (select id, 0, 0, -1, 0, 0 from unnest(previous_ids) as id except all select id, 0, 0, -1, 0, 0 from unnest(ids) as id)
  union all
  -- What was corrected before the commit holds, and is counted already.
  select corrected.node_id, 0, 0, 0, -(corrected.node_id <> all (ids))::int, -1
  from (
    select disputed.node_id from heartbeat_dispute as disputed
    where disputed.slot = pair.slot and (disputed.block_number, disputed.log_index) < (pair.block_number, pair.log_index)
    union
    select challenged.node_id from event_presence_challenged as challenged
    where challenged.last_slot >= pair.slot and challenged.first_slot <= pair.slot
      and (challenged.block_number, challenged.log_index) < (pair.block_number, pair.log_index)
  ) as corrected
  where corrected.node_id <= pair.node_count
) as change

-- on HeartbeatsDisputed
-- The committed bits are decoded once a word. A bit that an earlier dispute set is not in the event. `offset 0` has each event looked up
-- by itself: as a join it might be planned to read all there ever were
select node.id, event.block_number, event.log_index, '{}'::jsonb, 0, 0, 0, 0, 0,
  1 - (node.is_listed and not node.is_absent)::int, 1 - node.is_listed::int
from event cross join lateral (
  select coalesce(max(node_count), 0) as node_count, coalesce(max(within.ids), '{}') as ids
  from event_heartbeats_committed as committed cross join lateral (
    select array(
      select id from unnest(absentees(encoding, committed.node_count, committed.bits)) as id
      where id > 256 * event.word and id <= 256 * event.word + 256) as ids
  ) as within
  where committed.slot = event.slot
    and (committed.block_number, committed.log_index) < (event.block_number, event.log_index)
  offset 0
) as raw cross join lateral (
  select 256 * event.word + place + 1 as id, 256 * event.word + place + 1 <= raw.node_count as is_listed,
    256 * event.word + place + 1 = any(raw.ids) as is_absent
  from generate_series(0, 255) as place
  where get_bit(decode(substr(event.bits, 3), 'hex'), place) = 1
) as node
where not exists (
  select from event_presence_challenged as challenged
  where challenged.last_slot >= event.slot and challenged.first_slot <= event.slot and challenged.node_id = node.id
    and (challenged.block_number, challenged.log_index) < (event.block_number, event.log_index)
  offset 0
)

-- on PresenceChallenged
select event.node_id, event.block_number, event.log_index, '{}'::jsonb, 0, 0, 0, 0, 0,
  -(case when disputed then 1 else raw.present end), case when disputed then 0 else 1 - raw.total end
from event cross join lateral generate_series(event.first_slot, event.last_slot) as slot
cross join lateral committed_presence(slot, event.node_id, event.block_number, event.log_index) as raw
cross join lateral (
  select exists (
    select from heartbeat_dispute as disputed
    where disputed.slot = slot.slot and disputed.node_id = event.node_id
      and (disputed.block_number, disputed.log_index) < (event.block_number, event.log_index)
  ) as disputed
) as previous
where not exists (
  select from event_presence_challenged as challenged
  where challenged.last_slot >= slot.slot and challenged.first_slot <= slot.slot and challenged.node_id = event.node_id
    and (challenged.block_number, challenged.log_index) < (event.block_number, event.log_index)
  offset 0
)
