import type { Projection } from "./projection.ts";
import type { EventTable } from "./schema.ts";

type Shape = Pick<Projection, "name" | "columns">;

/**
 * The statements that create the views and functions over the tables: the tier of rows, past states, and the changes since a
 * block. They run after the statements of all tables.
 */
export function viewDdl(tables: readonly EventTable[], projections: readonly Shape[]): string[] {
  const events = [...new Set(tables.map(({ table }) => table))];
  const names = projections.map(({ name }) => name);
  return [
    ...events.map(tieredEvent),
    ...projections.flatMap((projection) => [tieredProjection(projection), stateAt(projection.name)]),
    changedSince(events, names),
  ];
}

// The heads are read once in a query, not once for each row.
const tierOf = (number: string) => `case
    when ${number} <= (select number from head where head.tier = 'finalized') then 'finalized'
    when ${number} <= (select number from head where head.tier = 'safe') then 'safe'
    else 'unsafe'
  end as tier`;

function tieredEvent(table: string): string {
  return `create view ${table}_tiered as select row.*, ${tierOf("block_number")} from ${table} as row`;
}

function tieredProjection({ name, columns }: Shape): string {
  const own = columns.map((column) => `"${column.name}"`).join(", ");
  const ofBlock = (column: string) => `(select block.${column} from block where block.number = block_number)`;
  return `create view ${name}_tiered as
  select ${own}, block_number, ${ofBlock("hash")} as block_hash, ${ofBlock("time")} as block_time, log_index,
    ${tierOf("block_number")}
  from ${name}`;
}

function stateAt(name: string): string {
  return `create function ${name}_at(at_block bigint) returns setof ${name}_history language sql stable parallel safe
begin atomic
  select * from ${name}_history where valid_from <= at_block and (valid_to is null or valid_to > at_block);
end`;
}

/**
 * For a reader that last read the rows as of a block: the current last block, and the tables that changed since. Returns every
 * table when that block is no longer on the chain.
 */
function changedSince(events: readonly string[], projections: readonly string[]): string {
  const changed = [
    ...events.map((table) => [table, `select from ${table} where block_number > known_block`]),
    ...projections.map((name) => [name, `select from ${name} where block_number > known_block`]),
  ].map(([name, rows]) => `select '${name}' as name where (select lost from since) or exists (${rows})`);
  return `create function changed_since(known_block bigint, known_hash text)
returns table (block bigint, hash text, tables text[]) language sql stable
begin atomic
  with since as (
    select not exists (select from block where number = known_block and block.hash = known_hash) as lost
  ), changed as (
    ${changed.join("\n    union all ")}
  )
  select head.number, head.hash, array(select name from changed order by name) from head where tier = 'unsafe';
end`;
}
