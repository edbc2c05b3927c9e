import { snakeCase } from "./columns.ts";
import type { Projection } from "./projection.ts";

/**
 * The statement that applies the events of blocks $1 to $2, whole blocks after all that were applied before: folds each
 * key's changes in order, and keeps the state after each block. The last of them is the key's row from now on; what the row was,
 * and the states between, become versions of the past.
 */
export function applyStatement(projection: Projection): string {
  const { key, sums } = projection;
  const keys = names(key);
  return statement(
    projection,
    `state as (
  select ${typedKey(projection)}, block_number as valid_from, log_index,
    lead(block_number) over up_to_here as valid_to, fold(patch) over up_to_here as patch
    ${sums.map((sum) => `, sum(${quote(sum)}) over up_to_here as ${quote(sum)}`).join("")}
  from change window up_to_here as (partition by ${typedKey(projection)} order by block_number, log_index)
), version as materialized (
  select * from state where valid_to is distinct from valid_from
), first as (
  select ${keys}, min(valid_from) as valid_from from version group by ${keys}
)`,
  );
}

/**
 * The same for a single block, $1 and $2 alike, in less than that: no window, and one state for each key. While the
 * chain is followed live every block takes this way.
 */
export function applyBlockStatement(projection: Projection): string {
  return statement(
    projection,
    `version as materialized (
  select ${typedKey(projection)}, $2::bigint as valid_from, max(log_index) as log_index,
    null::bigint as valid_to, fold(patch order by log_index) as patch
    ${projection.sums.map((sum) => `, sum(${quote(sum)}) as ${quote(sum)}`).join("")}
  from change group by ${typedKey(projection)}
), first as (
  select * from version
)`,
  );
}

/**
 * The statements that take back every change above block $1, to be run in this order: the rows that changed since go, and what
 * they were at that block comes back out of the past. The first says how many rows there were.
 */
export function revertStatements({ name, columns }: Projection): [string, string] {
  const own = names(columns.map((column) => column.name));
  return [
    `delete from ${name} where block_number > $1::bigint`,
    `with gone as (delete from ${name}_past where valid_to > $1::bigint returning *)
insert into ${name} (${own}, block_number, log_index)
select ${own}, valid_from, log_index from gone where valid_from <= $1::bigint`,
  ];
}

/** @param states Definitions of `version`, each key's states, and `first`, the first of each. */
function statement(projection: Projection, states: string): string {
  const { name, key, columns, changes } = projection;
  const own = columns.map((column) => column.name);
  const rest = own.filter((column) => !key.includes(column));
  const selects = changes.map(
    ({ event, select }) =>
      `select * from (with event as (select * from event_${snakeCase(event)} ` +
      `where block_number between $1::bigint and $2::bigint)\n${select}\n) as change`,
  );
  return `with change (${names([...key, "block_number", "log_index", "patch", ...projection.sums])}) as (
${selects.join("\nunion all\n")}
), ${states}, base as materialized (
  select present.*, first.valid_from as valid_to from first join ${name} as present on ${same(projection, "present", "first")}
), stated as materialized (
  select ${columns.map((column) => stateValue(projection, column)).join(",\n    ")}, version.valid_from, version.log_index, version.valid_to
  from version left join base on ${same(projection, "base", "version")}
), past as (
  insert into ${name}_past (${names(own)}, valid_from, log_index, valid_to)
  select ${names(own)}, block_number, log_index, valid_to from base
  union all select ${names(own)}, valid_from, log_index, valid_to from stated where valid_to is not null
)
insert into ${name} (${names(own)}, block_number, log_index)
select ${names(own)}, valid_from, log_index from stated where valid_to is null
on conflict (${names(key)}) do update set ${[...rest, "block_number", "log_index"].map((column) => `${quote(column)} = excluded.${quote(column)}`).join(", ")}`;
}

/** What stands in a state's column: told by the changes, or as it was before them. */
function stateValue(
  { key, sums }: Projection,
  { name: column, type }: Projection["columns"][number],
): string {
  const name = quote(column);
  if (key.includes(column)) return `version.${name}`;
  if (sums.includes(column)) return `coalesce(base.${name}, 0) + version.${name} as ${name}`;
  const patched = `version.patch -> '${column}'`;
  const text = `(version.patch ->> '${column}')::${type}`;
  const list = `case when ${patched} <> 'null' then array(select jsonb_array_elements_text(${patched}))::${type} end`;
  const value = type === "jsonb" ? patched : type.endsWith("[]") ? list : text;
  return `case when version.patch ? '${column}' then ${value} else base.${name} end as ${name}`;
}

function same({ key }: Projection, left: string, right: string): string {
  return key.map((column) => `${left}.${quote(column)} = ${right}.${quote(column)}`).join(" and ");
}

/** The key, each value of the type that its column has; a cast keeps the column's name. */
function typedKey({ key, columns }: Projection): string {
  const typed = columns.filter(({ name }) => key.includes(name));
  return typed.map(({ name, type }) => `${quote(name)}::${type}`).join(", ");
}

function names(columns: readonly string[]): string {
  return columns.map(quote).join(", ");
}

function quote(name: string): string {
  return `"${name}"`;
}
