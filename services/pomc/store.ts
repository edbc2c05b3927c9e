import type { Database } from "@ngpu/db/pool";
import type { BlockRef } from "@ngpu/rewards/document";

export type { BlockRef };

/** Unix time of the newest safe block, or null before there is one. */
export async function safeTime(database: Database): Promise<number | null> {
  const { rows } = await database.query<{ time: number }>(
    `select extract(epoch from block.time)::float8 as time
       from chain.head join chain.block using (number) where head.tier = 'safe'`,
  );
  return rows[0]?.time ?? null;
}

/** Unix time of the first block exported, or null before there is one. */
export async function firstBlockTime(database: Database): Promise<number | null> {
  const { rows } = await database.query<{ time: number | null }>(
    "select extract(epoch from min(time))::float8 as time from chain.block",
  );
  return rows[0]?.time ?? null;
}

/** The last block before `time` (Unix seconds). */
export async function lastBlockBefore(database: Database, time: number): Promise<BlockRef | null> {
  const { rows } = await database.query<{ number: bigint; hash: string }>(
    "select number, hash from chain.block where time < to_timestamp($1) order by number desc limit 1",
    [time],
  );
  const found = rows[0];
  return found === undefined ? null : { block: found.number, hash: found.hash };
}
