import type { ChainSchema } from "@ngpu/db/chainSchema";
import type { Definitions } from "./definitions.ts";

/**
 * The record of the current definitions, given the recorded one: the same record if nothing changed, or else the next version.
 * The new version is compatible with services of earlier versions if every recorded table and column exists with its type.
 *
 * @param breaking Whether the same columns have a new meaning; the version is then incompatible.
 */
export function nextChainSchema(
  recorded: ChainSchema,
  definitions: Pick<Definitions, "tables" | "projections" | "hash">,
  breaking = false,
): ChainSchema {
  if (recorded.definitions === definitions.hash) return recorded;
  const tables = tablesOf(definitions);
  const version = recorded.version + 1;
  const isCompatible = !breaking && includes(tables, recorded.tables);
  const compatibleSince = isCompatible ? recorded.compatibleSince : version;
  return { version, compatibleSince, definitions: definitions.hash, tables };
}

function tablesOf({
  tables,
  projections,
}: Pick<Definitions, "tables" | "projections">): ChainSchema["tables"] {
  const all = [
    ...tables.map(({ table, columns }) => ({ name: table, columns })),
    ...projections.map(({ name, columns }) => ({ name, columns })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  return Object.fromEntries(
    all.map(({ name, columns }) => [
      name,
      Object.fromEntries(columns.map((column) => [column.name, column.type])),
    ]),
  );
}

function includes(tables: ChainSchema["tables"], earlier: ChainSchema["tables"]): boolean {
  return Object.entries(earlier).every(([table, columns]) =>
    Object.entries(columns).every(([column, type]) => tables[table]?.[column] === type),
  );
}
