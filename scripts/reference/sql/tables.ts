import { bracketed, type Piece, piecesOf } from "./statements.ts";

export type Column = { name: string; type: string; mayBeNull: boolean; values: string[]; says: string };
export type Table = {
  name: string;
  says: string;
  key: string[];
  columns: Column[];
  /** Privileges by role. */
  grants: Map<string, Set<string>>;
};
export type Tables = { tables: Map<string, Table>; problems: string[] };

/** Statements that change neither a table's columns nor privileges on its rows. */
const PASSED =
  /^(create (unique )?index|drop index|create (schema|role|view|function|trigger|aggregate|type)|do |insert |update |delete |grant \w+ to |grant [\w, ]+ on (schema|database|sequence) )/;

/** The tables after all migrations, run in order. `given` are tables created elsewhere. */
export function tablesAfter(
  migrations: readonly { file: string; sql: string }[],
  given: readonly string[],
): Tables {
  const result: Tables = { tables: new Map(), problems: [] };
  for (const { file, sql } of migrations) {
    const up = sql.replace(/^-- Up Migration[^\n]*\n/m, "\n\n").split(/^-- Down Migration/m)[0] ?? "";
    for (const piece of statementsOf(up)) {
      const problem = apply(piece, result.tables, new Set(given));
      if (problem !== undefined) result.problems.push(`${file}: ${problem}`);
    }
  }
  return result;
}

/** The statements of a file with their original text, including comments. */
function statementsOf(sql: string): (Piece & { source: string })[] {
  let rest = sql;
  return piecesOf(sql, ";").map((piece) => {
    const end = endOfStatement(rest);
    const source = rest.slice(0, end);
    rest = rest.slice(end + 1);
    return { ...piece, source };
  });
}

function endOfStatement(sql: string): number {
  let place = 0;
  for (const [token] of sql.matchAll(/--[^\n]*|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$|[^;]|;/g)) {
    if (token === ";") return place;
    place += token.length;
  }
  return sql.length;
}

/** @returns what is not understood */
function apply(
  piece: Piece & { source: string },
  tables: Map<string, Table>,
  given: ReadonlySet<string>,
): string | undefined {
  const { text, source } = piece;
  const [, created] = /^create table (?:if not exists )?([\w.]+)/.exec(text) ?? [];
  if (created !== undefined) {
    tables.set(created, tableOf(created, source));
    return undefined;
  }
  const [, dropped] = /^drop table (?:if exists )?([\w.]+)/.exec(text) ?? [];
  if (dropped !== undefined)
    return tables.delete(dropped) ? undefined : `drops ${dropped}, which is not there`;
  const [, from, to] = /^alter table (\w+\.\w+) rename to (\w+)$/.exec(text) ?? [];
  if (from !== undefined && to !== undefined) return renameTable(tables, from, to);
  const [, altered] = /^alter table (?:only )?([\w.]+)/.exec(text) ?? [];
  if (altered !== undefined && given.has(altered)) return undefined;
  if (altered !== undefined) return alter(tables.get(altered), altered, source);
  const grant = /^(grant|revoke) (.+) on ([\w., ]+) (?:to|from) ([\w, ]+)$/.exec(text);
  if (grant !== null && !PASSED.test(text)) return grantOn(grant, tables, given);
  return PASSED.test(text) ? undefined : `a statement is not understood: ${text.slice(0, 60)}`;
}

/** A table of a `create table` statement, including comments. */
export function tableOf(name: string, statement: string): Table {
  const head = statement.slice(0, statement.search(/create table/i));
  const said = piecesOf(`${head} x`, ";")[0]?.comments ?? [];
  const table: Table = {
    name,
    says: said.filter((line) => !/^(key|sums):|^$/.test(line)).join(" "),
    key: [],
    columns: [],
    grants: new Map(),
  };
  for (const piece of piecesOf(bracketed(statement.slice(head.length)), ",")) addTo(table, piece);
  return table;
}

function addTo(table: Table, { text, comments }: Piece): void {
  const constraint = /^(?:constraint \w+ )?(primary key|unique|check|foreign key)\b/.exec(text);
  if (constraint !== null) {
    if (constraint[1] === "primary key") table.key = bracketed(text).split(/,\s*/);
    else limit(table, text);
    return;
  }
  const [, name = "", rest = ""] = /^"?(\w+)"? (.+)$/.exec(text) ?? [];
  const type = rest
    .split(/ (?:not null|null|primary key|default|unique|references|check|generated|constraint)\b/)[0]
    ?.trim();
  if (/ primary key\b/.test(rest)) table.key = [name];
  const mayBeNull = !/ (not null|primary key)\b/.test(rest);
  table.columns.push({ name, type: type ?? "", mayBeNull, values: [], says: comments.join(" ") });
  limit(table, text);
}

function renameTable(tables: Map<string, Table>, from: string, to: string): string | undefined {
  const table = tables.get(from);
  if (table === undefined) return `renames ${from}, which is not there`;
  const name = `${from.split(".")[0]}.${to}`;
  tables.delete(from);
  tables.set(name, { ...table, name });
  return undefined;
}

function rename(table: Table, from: string, to: string): void {
  table.key = table.key.map((name) => (name === from ? to : name));
  table.columns = table.columns.map((column) => (column.name === from ? { ...column, name: to } : column));
}

/** `check (status in ('asked', 'done'))` lists the values of a column. */
function limit(table: Table, text: string): void {
  const [, name, list] = /\bcheck \((\w+) in \(([^)]*)\)/.exec(text) ?? [];
  const column = table.columns.find((each) => each.name === name);
  if (column !== undefined && list !== undefined)
    column.values = list.split(",").map((each) => each.trim().replaceAll("'", ""));
}

function alter(table: Table | undefined, name: string, statement: string): string | undefined {
  if (table === undefined) return `alters ${name}, which is not there`;
  const body = statement.slice(statement.indexOf(name) + name.length);
  for (const piece of piecesOf(body, ",")) {
    const [, added] = /^add (?:column )?(?:if not exists )?(.+)$/.exec(piece.text) ?? [];
    const [, dropped] = /^drop column (?:if exists )?(\w+)/.exec(piece.text) ?? [];
    const [, from, to] = /^rename column (\w+) to (\w+)$/.exec(piece.text) ?? [];
    if (from !== undefined && to !== undefined) rename(table, from, to);
    else if (added !== undefined) addTo(table, { ...piece, text: added });
    else if (dropped !== undefined) table.columns = table.columns.filter((column) => column.name !== dropped);
    else if (!/^(drop constraint|set|enable|disable) /.test(piece.text))
      return `a change of ${name} is not understood: ${piece.text.slice(0, 60)}`;
  }
  return undefined;
}

function grantOn(
  [, verb, privileges = "", objects = "", roles = ""]: RegExpExecArray,
  tables: Map<string, Table>,
  given: ReadonlySet<string>,
): string | undefined {
  const names = objects.split(",").map((each) => each.trim().replace(/^table /, ""));
  const kinds = privileges
    .replace(/\([^)]*\)/g, "")
    .split(",")
    .map((each) => each.trim());
  for (const name of names) {
    const table = tables.get(name);
    if (table === undefined && given.has(name)) continue;
    if (table === undefined) return `grants on ${name}, which is not there`;
    for (const role of roles.split(",").map((each) => each.trim())) {
      const held = table.grants.get(role) ?? new Set<string>();
      for (const kind of kinds) verb === "grant" ? held.add(kind) : held.delete(kind);
      table.grants.set(role, held);
    }
  }
  return undefined;
}
