// Copied to src/index.ts: stores each event.
import { readFileSync } from "node:fs";
import { ponder } from "ponder:registry";
import * as schema from "ponder:schema";

const stored = new Map(Object.entries(schema));

for (const { table, event: name, columns } of JSON.parse(readFileSync("tables.json", "utf8"))) {
  ponder.on(`Market:${name}`, async ({ event, context }) => {
    const row = {
      block_number: event.block.number,
      block_hash: event.block.hash,
      block_time: new Date(Number(event.block.timestamp) * 1_000),
      tx_hash: event.transaction.hash,
      log_index: event.log.logIndex,
    };
    for (const { name: column, argument, type, names } of columns) {
      const value = event.args[argument];
      row[column] =
        names !== undefined
          ? names[value]
          : type === "bigint" || type.startsWith("numeric")
            ? BigInt(value)
            : typeof value === "string"
              ? value.toLowerCase()
              : value;
    }
    await context.db.insert(stored.get(table)).values(row);
  });
}
