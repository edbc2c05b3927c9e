import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createChainClient } from "@ngpu/chain-reader/client";
import { createPool, type Database } from "@ngpu/db/pool";
import { createLogger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import { compareWithRebuild, tablesOf } from "../../../services/autoExport/verify.ts";
import { testAddresses, testGenerations } from "../../packages/chain-reader/scriptedChain.ts";
import type { World } from "./testBed.ts";

export type Judgement = {
  block: bigint;
  rows: bigint;
  tables: number;
  /** Tables whose rows are not those of a fresh replay. */
  differing: string[];
  /** Events that the node itself lists, and those that stand in the tables. */
  eventsOnChain: number;
  eventsStored: bigint;
  /** Stored blocks whose parent is not the block before. */
  gaps: bigint;
};

/** Compares every table with a fresh replay from the node itself, and counts events and gaps without our own code. */
export async function judge(world: World): Promise<Judgement> {
  const url = new URL(world.databaseUrl);
  url.searchParams.set("options", "-c search_path=chain");
  const pool = createPool({ url: url.href, name: "judge", max: 2 });
  const definitions = loadDefinitions();
  const connection = await pool.connect();
  try {
    const { block, tables } = await compareWithRebuild(
      {
        client: createChainClient({ rpcUrls: [world.market.url], chainId: 31_337 }),
        deployment: { chainId: 31_337, startBlock: 1n, ...testGenerations },
        definitions,
        logger: createLogger("judge", "silent"),
        signal: new AbortController().signal,
      },
      connection,
    );
    return {
      block,
      rows: tables.reduce((sum, { rows }) => sum + rows, 0n),
      tables: tables.length,
      differing: tables.filter(({ stored, rebuilt }) => stored !== rebuilt).map(({ table }) => table),
      eventsOnChain: await countOnChain(world, block),
      eventsStored: await countStored(pool, tablesOf(definitions)),
      gaps: await world.gaps(),
    };
  } finally {
    connection.release(true);
    await pool.end();
  }
}

async function countOnChain({ market }: World, last: bigint): Promise<number> {
  const address = testAddresses;
  let count = 0;
  for (let from = 1n; from <= last; from += 500n) {
    const [fromBlock, toBlock] = [from, from + 499n < last ? from + 499n : last].map(
      (number): Hex => `0x${number.toString(16)}`,
    );
    count += (await market.rpc<unknown[]>("eth_getLogs", [{ address, fromBlock, toBlock }])).length;
  }
  return count;
}

async function countStored(pool: Database, tables: string[]): Promise<bigint> {
  const counts = tables
    .filter((table) => table.startsWith("event_"))
    .map((table) => `select count(distinct (block_number, log_index)) as rows from ${table}`);
  const { rows } = await pool.query<{ sum: bigint }>(
    `select sum(rows)::bigint from (${counts.join(" union all ")}) as t`,
  );
  return rows[0]?.sum ?? 0n;
}
