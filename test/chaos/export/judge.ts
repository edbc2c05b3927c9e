import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createChainClient } from "@ngpu/chain-reader/client";
import { createPool, type Database } from "@ngpu/db/pool";
import { createLogger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import { compareWithRebuild, tablesOf } from "../../../services/autoExport/verify.ts";
import { testAddresses, testGenerations } from "../../packages/chain-reader/scriptedChain.ts";
import type { TestBed } from "./testBed.ts";

export type Judgement = {
  block: bigint;
  rows: bigint;
  tables: number;
  /** Tables whose rows differ from those of a fresh replay. */
  differing: string[];
  /** Number of events on the node, and in the tables. */
  eventsOnChain: number;
  eventsStored: bigint;
  /** Number of stored blocks whose parent is not the previous block. */
  gaps: bigint;
};

/** Compares every table with a fresh replay from the node, and counts events and gaps without the exporter's code. */
export async function judge(testBed: TestBed): Promise<Judgement> {
  const url = new URL(testBed.databaseUrl);
  url.searchParams.set("options", "-c search_path=chain");
  const pool = createPool({ url: url.href, name: "judge", max: 2 });
  const definitions = loadDefinitions();
  const connection = await pool.connect();
  try {
    const { block, tables } = await compareWithRebuild(
      {
        client: createChainClient({ rpcUrls: [testBed.market.url], chainId: 31_337 }),
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
      eventsOnChain: await countOnChain(testBed, block),
      eventsStored: await countStored(pool, tablesOf(definitions)),
      gaps: await testBed.gaps(),
    };
  } finally {
    connection.release(true);
    await pool.end();
  }
}

async function countOnChain({ market }: TestBed, last: bigint): Promise<number> {
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
