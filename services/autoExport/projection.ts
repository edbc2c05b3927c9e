import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import type { EventTable } from "./schema.ts";

/**
 * A projection's file has a head and sections.
 *
 * - The head has the comment `-- key: …` and, for columns that are sums, `-- sums: …`. Then follow the statement that creates the
 *   table `<name>`, and other statements such as indexes.
 * - Each section begins with `-- on EventName` and selects from `event`, the rows of that event in the blocks being applied. It
 *   selects, in this order: the key, block_number, log_index, a jsonb patch of columns, and the increment of each sum.
 */
export type Projection = {
  name: string;
  key: string[];
  sums: string[];
  /** The statement that creates the table. */
  table: string;
  /** The other statements of the head. */
  ddl: string;
  /** Columns of the table, in order. */
  columns: { name: string; type: string }[];
  changes: { event: string; select: string }[];
};

/** Columns that are added to each table: block and log index of the last change, and the block range of a past version. */
const addedNames = new Set(["block_number", "log_index", "valid_from", "valid_to"]);

/** @throws FatalError `projection_invalid`; its message names the file and the error. */
export function parseProjection(name: string, text: string): Projection {
  const [head = "", ...sections] = text.split(/^-- on (?=\w+$)/m);
  const listed = (label: string) =>
    new RegExp(`^-- ${label}: (.+)$`, "m")
      .exec(head)?.[1]
      ?.split(",")
      .map((item) => item.trim()) ?? [];
  const key = listed("key");
  const invalid = (what: string) =>
    new FatalError(`Projection ${name}.sql ${what}.`, {
      code: "projection_invalid",
      hint: "Correct the file in services/autoExport/projections.",
    });
  if (key.length === 0) throw invalid("has no line `-- key: …`");
  const [table, body] = new RegExp(`create table ${name} \\(([\\s\\S]*?)\\);`).exec(head) ?? [];
  if (table === undefined || body === undefined) throw invalid(`does not create the table ${name}`);
  const columns = columnsOf(body);
  if (sections.length === 0) throw invalid("has no section `-- on …`");
  const sums = listed("sums");
  const missing = [...key, ...sums].filter((wanted) => !columns.some((column) => column.name === wanted));
  if (missing.length > 0) throw invalid(`has no column ${missing.join(", ")}`);
  const taken = columns.filter((column) => addedNames.has(column.name));
  if (taken.length > 0)
    throw invalid(`declares the reserved column ${taken.map((column) => column.name).join(", ")}`);
  const changes = sections.map((section) => {
    const end = section.indexOf("\n");
    return { event: section.slice(0, end), select: section.slice(end).trim() };
  });
  return { name, key, sums, table, ddl: head.replace(table, "").trim(), columns, changes };
}

/** The columns that a `create table` statement lists, without its comments. */
function columnsOf(body: string): Projection["columns"] {
  return body
    .replace(/--.*$/gm, "")
    .split(/,(?![^(]*\))/)
    .map((line) => /^\s*(\w+) ([^\s(]+(?:\([\d, ]+\))?(?:\[\])?)/.exec(line))
    .flatMap((match) => (match === null ? [] : [{ name: match[1] as string, type: match[2] as string }]));
}

/** Every projection in a folder, by name. */
export function readProjections(folder: string): Projection[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
  return files
    .sort()
    .map((file) => parseProjection(basename(file, ".sql"), readFileSync(join(folder, file), "utf8")));
}

/** The tables of a projection's events. @throws FatalError `projection_invalid` for an event that no ABI declares. */
export function sourcesOf(projection: Projection, tables: readonly EventTable[]): string[] {
  return projection.changes.map(({ event }) => {
    const found = tables.find((table) => table.event === event);
    if (found !== undefined) return found.table;
    throw new FatalError(`Projection ${projection.name}.sql handles ${event}, which no ABI declares.`, {
      code: "projection_invalid",
      hint: "Correct the file in services/autoExport/projections.",
    });
  });
}
