import type pg from "pg";
import { peerTables } from "./tables.ts";

/** Count and hash of each event table's rows in chain order, over the columns that every indexer stores. */
export async function hashRows(client: pg.Client, schema: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const { table, columns } of peerTables()) {
    const values = [
      "block_number::text",
      "log_index::text",
      "block_hash",
      "tx_hash",
      "extract(epoch from block_time)::bigint::text",
      ...columns.map(({ name }) => `"${name}"::text`),
    ].join(", ");
    const { rows } = await client.query<{ rows: string; hash: string | null }>(
      `select count(*) as rows, md5(string_agg(md5(concat_ws(',', ${values})), '' order by block_number, log_index)) as hash
       from "${schema}"."${table}"`,
    );
    hashes[table] = `${rows[0]?.rows} ${rows[0]?.hash}`;
  }
  return hashes;
}

/** Names of the tables in which two contenders' rows differ. */
export function differences(a: Record<string, string>, b: Record<string, string>): string[] {
  return Object.keys({ ...a, ...b }).filter((table) => a[table] !== b[table]);
}

/** The number of hashed rows. */
export function countRows(rows: Record<string, string>): number {
  return Object.values(rows).reduce((sum, text) => sum + Number(text.split(" ")[0]), 0);
}
