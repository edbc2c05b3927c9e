// Copied to ponder.schema.ts, with an export for each table of tables.json after it.
import { readFileSync } from "node:fs";
import { onchainTable, primaryKey } from "ponder";

const kinds = {
  integer: "integer",
  bigint: "bigint",
  "numeric(78,0)": "bigint",
  text: "text",
  boolean: "boolean",
};

const tables = JSON.parse(readFileSync("tables.json", "utf8"));

export const tableOf = (name) => {
  const { columns } = tables.find(({ table }) => table === name);
  return onchainTable(
    name,
    (t) => ({
      block_number: t.bigint().notNull(),
      block_hash: t.text().notNull(),
      block_time: t.timestamp().notNull(),
      tx_hash: t.text().notNull(),
      log_index: t.integer().notNull(),
      ...Object.fromEntries(columns.map((column) => [column.name, t[kinds[column.type]]().notNull()])),
    }),
    (t) => ({ pk: primaryKey({ columns: [t.block_number, t.log_index] }) }),
  );
};
