import type { ChainSchema } from "@ngpu/db/chainSchema";
import type { Definitions } from "./definitions.ts";

/**
 * The record of today's definitions after an earlier one: the same while nothing changed, else the next version. Services of
 * earlier versions can read it when every table and column they know is there with its type.
 *
 * @param breaking True when rows mean something else in the same columns.
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
