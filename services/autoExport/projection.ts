import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { FatalError } from "../shared/errors.ts";
import { snakeCase } from "./columns.ts";
import type { EventTable } from "./schema.ts";

/**
 * A projection's file: comments `-- key: …` and, for columns that add up, `-- sums: …`; the statements that create
 * `<name>_history`; then for each event it follows `-- on EventName` and a select from `event` (that event's rows in
 * the blocks at hand) that gives, in this order, the key, block_number, log_index, a jsonb patch of columns and
 * what each sum grows by.
 */
export type Projection = {
  name: string;
  key: string[];
  sums: string[];
  ddl: string;
  changes: { event: string; select: string }[];
};

/** @throws FatalError `projection_invalid`, naming the file and what it lacks. */
export function parseProjection(name: string, text: string): Projection {
  const [head = "", ...sections] = text.split(/^-- on (?=\w+$)/m);
  const listed = (label: string) =>
    new RegExp(`^-- ${label}: (.+)$`, "m")
      .exec(head)?.[1]
      ?.split(",")
      .map((item) => item.trim()) ?? [];
  const key = listed("key");
  const fault = (what: string) =>
    new FatalError(`Projection ${name}.sql ${what}.`, { code: "projection_invalid" });
  if (key.length === 0) throw fault("has no line `-- key: …`");
  if (!head.includes(`create table ${name}_history`)) throw fault(`does not create ${name}_history`);
  if (sections.length === 0) throw fault("has no section `-- on …`");
  const changes = sections.map((section) => {
    const end = section.indexOf("\n");
    return { event: section.slice(0, end), select: section.slice(end).trim() };
  });
  return { name, key, sums: listed("sums"), ddl: head.trim(), changes };
}

/** Every projection in a folder, by name. */
export function readProjections(folder: string): Projection[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
  return files
    .sort()
    .map((file) => parseProjection(basename(file, ".sql"), readFileSync(join(folder, file), "utf8")));
}

/** The tables of the events that a projection follows. @throws FatalError `projection_invalid` for an unknown event. */
export function sourcesOf(projection: Projection, tables: readonly EventTable[]): string[] {
  return projection.changes.map(({ event }) => {
    const found = tables.find((table) => table.event === event);
    if (found !== undefined) return found.table;
    throw new FatalError(`Projection ${projection.name}.sql follows ${event}, which no ABI declares.`, {
      code: "projection_invalid",
    });
  });
}

/**
 * The statement that applies the events of blocks $1 to $2, whole blocks after all that were applied before: folds each
 * key's changes in order, keeps the last state of each block as a version, and ends the version that was present.
 */
export function applyStatement({ name, key, sums, changes }: Projection): string {
  const keys = key.map(quote);
  const list = keys.join(", ");
  const columns = [...keys, "block_number", "log_index", "patch", ...sums.map(quote)].join(", ");
  const same = (left: string, right: string) => keys.map((k) => `${left}.${k} = ${right}.${k}`).join(" and ");
  const window = `partition by ${list} order by block_number, log_index`;
  const total = (sum: string) => `'${sum}', coalesce(base.${quote(sum)}, 0) + version.${quote(sum)}`;
  const fields = [
    ...key.map((k) => `'${k}', version.${quote(k)}`),
    ...sums.map(total),
    "'valid_from', version.block_number",
    "'valid_to', version.valid_to",
  ].join(", ");
  const selects = changes.map(
    ({ event, select }) =>
      `select * from (with event as (select * from event_${snakeCase(event)} ` +
      `where block_number between $1::bigint and $2::bigint)\n${select}\n) as change`,
  );
  return `with change (${columns}) as materialized (
${selects.join("\nunion all\n")}
), state as (
  select ${list}, block_number, log_index, fold(patch) over up_to_here as patch
    ${sums.map((sum) => `, sum(${quote(sum)}) over up_to_here as ${quote(sum)}`).join("")}
  from change window up_to_here as (${window})
), last as (
  select distinct on (${list}, block_number) * from state order by ${list}, block_number, log_index desc
), version as materialized (
  select *, lead(block_number) over (partition by ${list} order by block_number) as valid_to from last
), ended as (
  update ${name}_history as present set valid_to = first.block_number
  from (select ${list}, min(block_number) as block_number from version group by ${list}) as first
  where ${same("present", "first")} and present.valid_to is null
)
insert into ${name}_history
select result.* from version
left join ${name}_history as base on ${same("base", "version")} and base.valid_to is null
cross join lateral jsonb_populate_record(base, version.patch || jsonb_build_object(${fields})) as result`;
}

function quote(name: string): string {
  return `"${name}"`;
}
