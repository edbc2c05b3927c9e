import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { abis } from "@ngpu/contracts-sdk/abis";
import { type ChainVersion, readChainVersion } from "@ngpu/db/chainSchema";
import { applyBlockStatement, applyStatement, revertStatements } from "./apply.ts";
import { enums } from "./enums.ts";
import { type Projection, readProjections, sourcesOf } from "./projection.ts";
import { type Contracts, type EventTable, eventIndexDdl, eventTableDdl, eventTables } from "./schema.ts";
import { viewDdl } from "./views.ts";

/** Everything that determines the tables and their rows. */
export type Definitions = {
  tables: EventTable[];
  projections: (Projection & {
    sources: string[];
    apply: string;
    applyBlock: string;
    revert: [string, string];
  })[];
  /** Statements that create all tables, then the views and functions, in order. */
  ddl: string[];
  /** Changes whenever a rebuild would create other tables or rows. */
  hash: string;
  /** Orders definitions, and names the oldest version whose readers are compatible. */
  version: ChainVersion;
};

const folder = import.meta.dirname;

/**
 * Derives the schema from the contracts' ABIs and the projections' files.
 *
 * @throws FatalError `projection_invalid`
 */
export function loadDefinitions(
  contracts: Contracts = abis,
  projectionFolder: string = join(folder, "projections"),
  version: ChainVersion = readChainVersion(),
): Definitions {
  const tables = eventTables(contracts);
  const projections = readProjections(projectionFolder).map((projection) => ({
    ...projection,
    sources: sourcesOf(projection, tables),
    apply: applyStatement(projection),
    applyBlock: applyBlockStatement(projection),
    revert: revertStatements(projection),
  }));
  const base = readFileSync(join(folder, "base.sql"), "utf8");
  const ddl = [
    base,
    ...eventTableDdl(tables),
    ...eventIndexDdl(tables),
    ...projections.flatMap(projectionDdl),
    ...viewDdl(tables, projections),
  ];
  const hash = createHash("sha256")
    .update(JSON.stringify([ddl, projections.map(({ apply, applyBlock }) => [apply, applyBlock]), enums]))
    .digest("hex");
  return { tables, projections, ddl, hash, version };
}

/**
 * The tables of a projection's current rows and of past versions, the view over both, and the projection's other statements.
 * Free space in each page and no index on changing columns keep updates heap-only: they write to no index.
 */
function projectionDdl({ name, key, columns, table, ddl }: Projection): string[] {
  const keys = key.map((column) => `"${column}"`).join(", ");
  const own = columns.map((column) => `"${column.name}"`).join(", ");
  return [
    table,
    `alter table ${name} add column block_number bigint not null, add column log_index integer not null default 0,
  add primary key (${keys}), set (fillfactor = 70)`,
    `create table ${name}_past (like ${name})`,
    `alter table ${name}_past rename column block_number to valid_from`,
    `alter table ${name}_past add column valid_to bigint not null`,
    // Rows are written in block order, so a BRIN index finds the changes of a reorg and the versions at a block at little cost.
    // With a bloom filter it also finds a key's versions. A projection whose past is often read by key adds an index.
    `create index on ${name} using brin (block_number) with (pages_per_range = 16, autosummarize = on)`,
    `create index on ${name}_past using brin (${["valid_to", ...filterOf(columns, key)].join(", ")}) with (pages_per_range = 16, autosummarize = on)`,
    `create view ${name}_history as
  select ${own}, block_number as valid_from, null::bigint as valid_to, log_index from ${name}
  union all select ${own}, valid_from, valid_to, log_index from ${name}_past`,
    ddl,
  ];
}

// BRIN bloom operator classes by type.
const filters: Record<string, string> = {
  bigint: "int8_bloom_ops",
  integer: "int4_bloom_ops",
  smallint: "int2_bloom_ops",
  text: "text_bloom_ops",
};

/** The key's first column with its BRIN bloom operator class; none if its type has no such class. */
function filterOf(columns: Projection["columns"], [first]: string[]): string[] {
  const type = columns.find(({ name }) => name === first)?.type ?? "";
  return type in filters ? [`"${first}" ${filters[type]}`] : [];
}
