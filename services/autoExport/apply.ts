import { snakeCase } from "./columns.ts";
import type { Projection } from "./projection.ts";

/**
 * The statement that applies the events of blocks $1 to $2. These are complete blocks above every applied block. It folds each
 * key's changes in order and computes the state after each block. The last state becomes the key's row. The previous row and
 * the states in between go to the table of past versions.
 */
export function applyStatement(projection: Projection): string {
  const { name, key } = projection;
  const own = ownColumns(projection);
  const keys = typedKey(projection);
  const sums = projection.sums.map((sum) => `, sum(${quote(sum)}) over up_to_here as ${quote(sum)}`).join("");
  return `with ${changeQuery(projection)}, state as (
  select ${keys}, block_number as valid_from, log_index,
    lead(block_number) over up_to_here as valid_to, fold(patch) over up_to_here as patch${sums}
  from change window up_to_here as (partition by ${keys} order by block_number, log_index)
), version as materialized (
  select * from state where valid_to is distinct from valid_from
), first as (
  select ${names(key)}, min(valid_from) as valid_from from version group by ${names(key)}
), previous as materialized (
  select previous.*, first.valid_from as valid_to from first cross join lateral ${presentRow(projection, "first")} as previous
), stated as materialized (
  select ${own.map((column) => stateValue(projection, column)).join(",\n    ")}, version.valid_from, version.log_index, version.valid_to
  from version left join previous on ${same(projection, "previous", "version")}
), past as (
  insert into ${name}_past (${names(own)}, valid_from, log_index, valid_to)
  select ${names(own)}, block_number, log_index, valid_to from previous
  union all select ${names(own)}, valid_from, log_index, valid_to from stated where valid_to is not null
)
${putRows(projection, `select ${names(own)}, valid_from, log_index from stated where valid_to is null`)}`;
}

/**
 * The same for a single block ($1 equals $2), at a lower cost: no window, and one state for each key. Every block uses this
 * statement while the chain is followed at its head.
 */
export function applyBlockStatement(projection: Projection): string {
  const { name } = projection;
  const own = ownColumns(projection);
  const keys = typedKey(projection);
  const sums = projection.sums.map((sum) => `, sum(${quote(sum)}) as ${quote(sum)}`).join("");
  return `with ${changeQuery(projection)}, version as (
  select ${keys}, max(log_index) as log_index, fold(patch order by log_index) as patch${sums}
  from change group by ${keys}
), state as materialized (
  select ${own.map((column) => stateValue(projection, column)).join(",\n    ")}, version.log_index,
    ${[...own, "block_number", "log_index"].map((column) => `previous.${quote(column)} as ${quote(`previous_${column}`)}`).join(", ")}
  from version left join lateral ${presentRow(projection, "version")} as previous on true
), past as (
  insert into ${name}_past (${names(own)}, valid_from, log_index, valid_to)
  select ${names([...own, "block_number", "log_index"].map((column) => `previous_${column}`))}, $2::bigint from state
  where previous_block_number is not null
)
${putRows(projection, `select ${names(own)}, $2::bigint, log_index from state`)}`;
}

/**
 * The statements that revert every change above block $1, in this order. The first deletes the rows that changed; its row count
 * is their number. The second restores from the past versions what they were at that block.
 */
export function revertStatements(projection: Projection): [string, string] {
  const { name } = projection;
  const own = names(ownColumns(projection));
  return [
    `delete from ${name} where block_number > $1::bigint`,
    `with gone as (delete from ${name}_past where valid_to > $1::bigint returning *)
insert into ${name} (${own}, block_number, log_index)
select ${own}, valid_from, log_index from gone where valid_from <= $1::bigint`,
  ];
}

/** The query `change`: the changes by the events of blocks $1 to $2, each to one key. */
function changeQuery({ key, sums, changes }: Projection): string {
  const selects = changes.map(
    ({ event, select }) =>
      `select * from (with event as (select * from event_${snakeCase(event)} ` +
      `where block_number between $1::bigint and $2::bigint)\n${select}\n) as change`,
  );
  return `change (${names([...key, "block_number", "log_index", "patch", ...sums])}) as (
${selects.join("\nunion all\n")}
)`;
}

/** The current row of a key. `offset 0` forces a lookup by key; a plain join can be planned as a scan of the table. */
function presentRow(projection: Projection, of: string): string {
  return `(select * from ${projection.name} as present where ${same(projection, "present", of)} offset 0)`;
}

/** Inserts or replaces rows. @param select Selects the projection's own columns, the block and the log index. */
function putRows(projection: Projection, select: string): string {
  const { name, key } = projection;
  const own = ownColumns(projection);
  const changing = [...own.filter((column) => !key.includes(column)), "block_number", "log_index"];
  return `insert into ${name} (${names(own)}, block_number, log_index)
${select}
on conflict (${names(key)}) do update set ${changing.map((column) => `${quote(column)} = excluded.${quote(column)}`).join(", ")}`;
}

function ownColumns({ columns }: Projection): string[] {
  return columns.map((column) => column.name);
}

/** The value of a state's column: set by the changes, or else the previous one. */
function stateValue({ key, sums, columns }: Projection, column: string): string {
  const name = quote(column);
  if (key.includes(column)) return `version.${name}`;
  if (sums.includes(column)) return `coalesce(previous.${name}, 0) + version.${name} as ${name}`;
  const type = columns.find((other) => other.name === column)?.type as string;
  const patched = `version.patch -> '${column}'`;
  const text = `(version.patch ->> '${column}')::${type}`;
  const list = `case when ${patched} <> 'null' then array(select jsonb_array_elements_text(${patched}))::${type} end`;
  const value = type === "jsonb" ? patched : type.endsWith("[]") ? list : text;
  return `case when version.patch ? '${column}' then ${value} else previous.${name} end as ${name}`;
}

function same({ key }: Projection, left: string, right: string): string {
  return key.map((column) => `${left}.${quote(column)} = ${right}.${quote(column)}`).join(" and ");
}

/** The key's columns, each cast to the type of its table column. A cast keeps the column's name. */
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
