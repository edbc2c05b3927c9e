import { snakeCase } from "./columns.ts";
import type { Projection } from "./projection.ts";

/**
 * The statement that applies the events of blocks $1 to $2, whole blocks after all that were applied before: folds each
 * key's changes in order, keeps the last state of each block as a version, and ends the version that was present. That one is
 * the key's newest: it is found from the primary key's end, whatever the tables' statistics say.
 */
export function applyStatement(projection: Projection): string {
  const { name, key, sums, columns, changes } = projection;
  const list = key.map(quote).join(", ");
  const typed = columns
    .filter((column) => key.includes(column.name))
    .map((column) => `${quote(column.name)}::${column.type}`);
  const selects = changes.map(
    ({ event, select }) =>
      `select * from (with event as (select * from event_${snakeCase(event)} ` +
      `where block_number between $1::bigint and $2::bigint)\n${select}\n) as change`,
  );
  return `with change (${[...key, "block_number", "log_index", "patch", ...sums].map(quote).join(", ")}) as (
${selects.join("\nunion all\n")}
), state as (
  select ${typed.map((value) => `${value} as ${value.split("::")[0]}`).join(", ")}, block_number, log_index,
    lead(block_number) over up_to_here as next_block, fold(patch) over up_to_here as patch
    ${sums.map((sum) => `, sum(${quote(sum)}) over up_to_here as ${quote(sum)}`).join("")}
  from change window up_to_here as (partition by ${typed.join(", ")} order by block_number, log_index)
), version as materialized (
  select * from state where next_block is distinct from block_number
), first as (
  select ${list}, min(block_number) as block_number from version group by ${list}
), ended as (
  update ${name}_history as present set valid_to = first.block_number
  from (select block_number, (${newest(projection, "first")}) as place from first) as first
  where present.ctid = first.place returning present.*
)
insert into ${name}_history (${columns.map((column) => quote(column.name)).join(", ")}, log_index)
select ${columns.map((column) => versionValue(projection, column)).join(",\n  ")}, version.log_index
from version left join ended as base on ${same(projection, "base", "version")}`;
}

/**
 * The statement that takes back every version from above block $1 and makes those present again that they had ended.
 * Gives the count of those taken back.
 */
export function revertStatement(projection: Projection): string {
  const { name, key } = projection;
  return `with gone as (
  delete from ${name}_history where valid_from > $1::bigint returning ${key.map(quote).join(", ")}
), ended as (
  select distinct * from gone
), reopened as (
  update ${name}_history as present set valid_to = null
  from (select (${newest(projection, "ended", "and newest.valid_from <= $1::bigint")}) as place from ended) as ended
  where present.ctid = ended.place
)
select count(*) as gone from gone`;
}

/** Selects where the newest version of a key stands. */
function newest(projection: Projection, other: string, further = ""): string {
  const order = [...projection.key.map(quote), "valid_from"].map((column) => `newest.${column} desc`);
  return `select ctid from ${projection.name}_history as newest
    where ${same(projection, "newest", other)} ${further} order by ${order.join(", ")} limit 1`;
}

function same({ key }: Projection, left: string, right: string): string {
  return key.map((column) => `${left}.${quote(column)} = ${right}.${quote(column)}`).join(" and ");
}

/** What stands in a version's column: told by the changes, or as it was before them. */
function versionValue({ key, sums }: Projection, column: Projection["columns"][number]): string {
  const name = quote(column.name);
  if (key.includes(column.name)) return `version.${name}`;
  if (sums.includes(column.name)) return `coalesce(base.${name}, 0) + version.${name}`;
  if (column.name === "valid_from") return "version.block_number";
  if (column.name === "valid_to") return "version.next_block";
  const patched = `version.patch -> '${column.name}'`;
  const text = `(version.patch ->> '${column.name}')::${column.type}`;
  const list = `case when ${patched} <> 'null' then array(select jsonb_array_elements_text(${patched}))::${column.type} end`;
  const value = column.type === "jsonb" ? patched : column.type.endsWith("[]") ? list : text;
  return `case when version.patch ? '${column.name}' then ${value} else base.${name} end`;
}

function quote(name: string): string {
  return `"${name}"`;
}
