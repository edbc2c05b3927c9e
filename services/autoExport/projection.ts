import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { FatalError } from "../shared/errors.ts";
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
  /** Of `<name>_history`, in order. */
  columns: { name: string; type: string }[];
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
  const columns = columnsOf(head, `${name}_history`);
  if (columns === undefined) throw fault(`does not create ${name}_history`);
  if (sections.length === 0) throw fault("has no section `-- on …`");
  const sums = listed("sums");
  const missing = [...key, ...sums, "valid_from", "valid_to"].filter(
    (wanted) => !columns.some((column) => column.name === wanted),
  );
  if (missing.length > 0) throw fault(`has no column ${missing.join(", ")}`);
  const changes = sections.map((section) => {
    const end = section.indexOf("\n");
    return { event: section.slice(0, end), select: section.slice(end).trim() };
  });
  return { name, key, sums, ddl: head.trim(), columns, changes };
}

/** The columns that a `create table` statement lists; undefined when there is none for the table. */
function columnsOf(ddl: string, table: string): Projection["columns"] | undefined {
  const body = new RegExp(`create table ${table} \\(([\\s\\S]*?)\\);`).exec(ddl)?.[1];
  return body
    ?.split(/,(?![^(]*\))/)
    .map((line) => /^\s*(\w+) ([^\s(]+(?:\([\d, ]+\))?(?:\[\])?)/.exec(line))
    .flatMap((match) =>
      match === null || match[1] === "primary"
        ? []
        : [{ name: match[1] as string, type: match[2] as string }],
    );
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
