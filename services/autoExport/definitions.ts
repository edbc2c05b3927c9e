import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { abis } from "../shared/chain/abis.ts";
import { applyStatement, revertStatement } from "./apply.ts";
import { enums } from "./enums.ts";
import { type Projection, readProjections, sourcesOf } from "./projection.ts";
import { type Contracts, type EventTable, eventTableDdl, eventTables } from "./schema.ts";
import { viewDdl } from "./views.ts";

/** Everything that decides which tables there are and what stands in them. */
export type Definitions = {
  tables: EventTable[];
  projections: (Projection & { sources: string[]; apply: string; revert: string })[];
  /** Statements that create all tables, and then what is read beside them, in order. */
  ddl: string[];
  /** Differs whenever a rebuild would give other tables or rows. */
  hash: string;
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
): Definitions {
  const tables = eventTables(contracts);
  const projections = readProjections(projectionFolder).map((projection) => ({
    ...projection,
    sources: sourcesOf(projection, tables),
    apply: applyStatement(projection),
    revert: revertStatement(projection),
  }));
  const base = readFileSync(join(folder, "base.sql"), "utf8");
  const ddl = [
    base,
    ...eventTableDdl(tables),
    ...projections.flatMap(projectionDdl),
    ...viewDdl(tables, projections),
  ];
  const hash = createHash("sha256")
    .update(JSON.stringify([ddl, projections.map(({ apply }) => apply), enums]))
    .digest("hex");
  return { tables, projections, ddl, hash };
}

/** A projection's own statements, the place of each version's last change, and the indexes that readers and reverting need. */
function projectionDdl({ name, key, ddl }: Projection): string[] {
  const table = `${name}_history`;
  const keys = key.map((column) => `"${column}"`).join(", ");
  return [
    ddl,
    `alter table ${table} add column log_index integer not null default 0`,
    `create index on ${table} (${keys}) where valid_to is null`,
    // Versions come in the order of blocks: a summary of each few pages finds a reorg's, at next to no cost.
    `create index on ${table} using brin (valid_from) with (pages_per_range = 16, autosummarize = on)`,
  ];
}
