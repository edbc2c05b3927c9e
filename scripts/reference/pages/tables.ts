import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { code, codes, compare, item, pageHead, plain, wrapped } from "../markdown.ts";
import { piecesOf } from "../sql/statements.ts";
import { type Column, type Table, tableOf, tablesAfter } from "../sql/tables.ts";
import type { Page, PageOf } from "./page.ts";

const HEAD = `The tables of the two schemas. A column is nullable only if it is marked so. Amounts are \`numeric(78,0)\` in token units
(1e-18); addresses and hashes are lower-case hexadecimal text.`;
const APP = `Private data. The migrations create these tables. Each service has its own role; the grants define who writes and who
reads. \`app.migration\` belongs to the migration runner.`;
const CHAIN = `Written by autoExport, which can drop it and rebuild it from the chain. Every service reads it.`;
const EVENTS = `One table for each event, \`chain.event_<name>\`. Each has these columns, then the event's parameters in snake_case,
with structs flattened by \`_\`; a conflicting name gets a trailing \`_\`. [Chain events](chain-events.md) lists them.`;
const PROJECTIONS = `Each projection consists of: a table of the current rows, with \`block_number\` and \`log_index\` of their last change;
\`chain.<name>_past\` with past versions, valid from block \`valid_from\` to \`valid_to\`; the view \`chain.<name>_history\` over both;
the view \`chain.<name>_tiered\` with the tier of each row; and the function \`chain.<name>_at(block)\`.`;

/** Tables that a program creates; the migrations only grant privileges on them. */
const GIVEN = ["app.migration"];

export const tablesPage: PageOf = ({ rootDir, project }) => {
  const migrations = globSync("{packages,services}/**/migrations/*.sql", {
    cwd: rootDir,
    exclude: ["**/node_modules"],
  })
    .sort((a, b) => compare(basename(a), basename(b)))
    .map((file) => ({ file, sql: readFileSync(join(rootDir, file), "utf8") }));
  const app = tablesAfter(migrations, GIVEN);
  const components = new Set(project.sources.map(({ component }) => component));
  const mine = [...app.tables.values()].sort((a, b) => compare(a.name, b.name));
  const missing = migrations.length === 0 ? ["no migrations were found"] : [];
  const chain = chainSection(rootDir);
  return {
    text: `${pageHead("Tables", HEAD)}\n## Schema \`app\`\n\n${wrapped(APP)}\n${mine
      .map((table) => section(table, usersOf(table, components)))
      .join("")}${chain.text}`,
    problems: [...missing, ...app.problems, ...mine.flatMap(uncommented), ...chain.problems],
  };
};

function chainSection(rootDir: string): Page {
  const { tables, projections } = loadDefinitions();
  const [basePath] = globSync("services/*/base.sql", { cwd: rootDir });
  const base = basePath === undefined ? "" : readFileSync(join(rootDir, basePath), "utf8");
  const own = piecesOf(base, ";").flatMap(({ text, comments }) => {
    const [, name] = /^create table (\w+)/.exec(text) ?? [];
    return name === undefined
      ? []
      : [{ ...tableOf(name, statementIn(base, name)), says: comments.join(" ") }];
  });
  const projected = projections.map(({ name, key, sums, table, ddl }) => {
    const said = commentsBefore(ddl);
    return { ...tableOf(name, table), key, says: said, sums };
  });
  const [first] = tables;
  const common = first === undefined ? [] : commonOf(first.table);
  const named = <T extends Table>(table: T) => ({ ...table, name: `chain.${table.name}` });
  return {
    text: `\n## Schema \`chain\`\n\n${wrapped(CHAIN)}\n${own
      .map((table) => section(named(table), ""))
      .join(
        "",
      )}\n### Events\n\n${wrapped(EVENTS)}\n\n${common.map(columnItem).join("\n")}\n\n### Projections\n\n${wrapped(PROJECTIONS)}\n${projected
      .map((table) => section(named(table), table.sums.length === 0 ? "" : `Sums: ${codes(table.sums)}.`))
      .join("")}`,
    problems: [...own, ...projected].flatMap(uncommented),
  };

  /** The common first columns of event tables, from the statement that creates one. */
  function commonOf(table: string): Column[] {
    const { ddl } = loadDefinitions();
    const statement = ddl.find((each) => each.startsWith(`create table ${table} (`)) ?? "";
    const count = (first?.columns.length ?? 0) + (first?.shared === true ? 1 : 0);
    const all = tableOf(table, statement).columns;
    return all.slice(0, all.length - count);
  }
}

/** The first paragraph of comments that does not describe the key or the sums. */
function commentsBefore(ddl: string): string {
  const lines = ddl.split("\n").map((line) => line.trim());
  const end = lines.findIndex((line) => !line.startsWith("--"));
  const head = end < 0 ? lines : lines.slice(0, end);
  return head
    .map((line) => line.slice(2).trim())
    .filter((line) => line !== "" && !/^(key|sums):/.test(line))
    .join(" ");
}

function statementIn(sql: string, table: string): string {
  const start = sql.indexOf(`create table ${table} (`);
  return sql.slice(start, sql.indexOf(");", start) + 2);
}

function section({ name, says, key, columns }: Table, users: string): string {
  const keyed = key.length === 0 ? "" : `Key: ${codes(key)}.`;
  const about = [plain(says), users, keyed].filter((each) => each !== "").join(" ");
  return `\n### \`${name}\`\n\n${wrapped(about)}\n\n${columns.map(columnItem).join("\n")}\n`;
}

function columnItem({ name, type, mayBeNull, values, says }: Column): string {
  const oneOf = values.length === 0 ? "" : `: one of ${codes(values)}`;
  const text = `${code(name)} ${plain(type)}${mayBeNull ? " or null" : ""}${oneOf}`;
  const sentence = says === "" ? "" : `${oneOf === "" ? ":" : "."} ${plain(says)}`;
  return item(text + sentence);
}

/** The roles that may write rows, and those that may only read, from the grants. */
function usersOf({ grants }: Table, components: ReadonlySet<string>): string {
  const writers: string[] = [];
  const readers: string[] = [];
  for (const [role, held] of grants) {
    const isWriter = ["insert", "update", "delete", "all"].some((each) => held.has(each));
    (isWriter ? writers : readers).push(serviceOf(role, components));
  }
  const readBy = readers.length === 0 ? "" : ` Read by ${codes(readers.sort(compare))}.`;
  return `Written by ${codes(writers.sort(compare))}.${readBy}`;
}

/** `ngpu_api` is the role of services/apiServer. */
function serviceOf(role: string, components: ReadonlySet<string>): string {
  const short = role.replace(/^ngpu_/, "");
  const names = [...components]
    .filter((each) => dirname(each) === "services")
    .map((each) => basename(each))
    .filter((name) => name.toLowerCase().startsWith(short));
  return names.find((name) => name.toLowerCase() === short) ?? names[0] ?? role;
}

function uncommented({ name, says }: Table): string[] {
  return says === "" ? [`the table ${name} has no comment before its \`create table\``] : [];
}
