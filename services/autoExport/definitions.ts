import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { abis } from "@ngpu/contracts-sdk/abis";
import { type ChainVersion, readChainVersion } from "@ngpu/db/chainSchema";
import { applyBlockStatement, applyStatement, revertStatements } from "./apply.ts";
import { enums } from "./enums.ts";
import { type Projection, readProjections, sourcesOf } from "./projection.ts";
import { type Contracts, type EventTable, eventTableDdl, eventTables } from "./schema.ts";
import { viewDdl } from "./views.ts";

/** Everything that decides which tables there are and what stands in them. */
export type Definitions = {
  tables: EventTable[];
  projections: (Projection & {
    sources: string[];
    apply: string;
    applyBlock: string;
    revert: [string, string];
  })[];
  /** Statements that create all tables, and then what is read beside them, in order. */
  ddl: string[];
  /** Differs whenever a rebuild would give other tables or rows. */
  hash: string;
  /** Which of two different definitions is newer, and who can read it. */
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
    ...projections.flatMap(projectionDdl),
    ...viewDdl(tables, projections),
  ];
  const hash = createHash("sha256")
    .update(JSON.stringify([ddl, projections.map(({ apply, applyBlock }) => [apply, applyBlock]), enums]))
    .digest("hex");
  return { tables, projections, ddl, hash, version };
}

/**
 * The tables of a projection's rows and of what they were, both as one, and the projection's further statements. A row changes where it
 * stands: with room left in each page and no index on what changes, no index has to be told.
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
    // Changes come in the order of blocks: a summary of each few pages finds a reorg's, or what was so at a block, and with filters
    // of what they hold also a key's, at next to no cost. Where a key's past is read often its file adds an index.
    `create index on ${name} using brin (block_number) with (pages_per_range = 16, autosummarize = on)`,
    `create index on ${name}_past using brin (${["valid_to", ...filterOf(columns, key)].join(", ")}) with (pages_per_range = 16, autosummarize = on)`,
    `create view ${name}_history as
  select ${own}, block_number as valid_from, null::bigint as valid_to, log_index from ${name}
  union all select ${own}, valid_from, valid_to, log_index from ${name}_past`,
    ddl,
  ];
}

// The operator classes that filter values of a type.
const filters: Record<string, string> = {
  bigint: "int8_bloom_ops",
  integer: "int4_bloom_ops",
  smallint: "int2_bloom_ops",
  text: "text_bloom_ops",
};

/** The key's first column as a block-range summary filters it; none of a type that has no filter. */
function filterOf(columns: Projection["columns"], [first]: string[]): string[] {
  const type = columns.find(({ name }) => name === first)?.type ?? "";
  return type in filters ? [`"${first}" ${filters[type]}`] : [];
}
