import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createPool, type Database } from "@ngpu/db/pool";
import { Registry } from "prom-client";
import { exportChain } from "../../../services/autoExport/exportLeader.ts";
import { createWatch } from "../../../services/autoExport/metrics.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createTestRedis } from "../../support/redis.ts";
import { asRole, createTestContext, eventually, type TestContext } from "../support/context.ts";
import { freshChain, type TestChain } from "./chain.ts";
import type { LeaseRef } from "./chainActions.ts";

/** A chain, its export in Postgres and an empty Redis, for a service under test. */
export type TestMarket = {
  chain: TestChain;
  context: TestContext;
  redisUrl: string;
  /** URL of Postgres with the role of a service. */
  urlAs: (role: string) => string;
  /** Connections as superuser, to check results. */
  pool: Database;
  /** Waits until the whole chain is exported. */
  exported: () => Promise<void>;
  /** Continues with other contracts: rebuilds the export and sets `chain`. */
  moveTo: (chain: TestChain) => Promise<void>;
  stop: () => Promise<void>;
};

/** Starts a market for one suite with autoExport, on a fresh chain unless one is given. */
export async function openMarket(given?: TestChain): Promise<TestMarket> {
  const chain = given ?? (await freshChain());
  const database = await createTestDatabase();
  const context = createTestContext("market");
  const pool = createPool({ url: database.url, name: "test" });
  let stopExport = await startExport(chain, database.url, pool);
  const market: TestMarket = {
    chain,
    context,
    pool,
    redisUrl: await createTestRedis(),
    urlAs: (role) => asRole(database.url, role),
    exported: async () => {
      const block = await market.chain.client.getBlockNumber();
      await eventually(`block ${block} in Postgres`, async () => {
        const { rows } = await pool.query<{ number: bigint }>(
          "select number from chain.head where tier = 'unsafe' and number >= $1",
          [block],
        );
        return rows.length === 1;
      });
    },
    moveTo: async (next) => {
      await stopExport();
      market.chain = next;
      stopExport = await startExport(next, database.url, pool);
      await market.exported();
    },
    stop: async () => {
      await context.stop();
      await stopExport();
      await pool.end();
      await database.drop();
    },
  };
  return market;
}

/** Exports a chain until it is stopped. */
async function startExport({ client, deployment }: TestChain, url: string, pool: Database) {
  const { logger, signal, stop } = createTestContext("autoExport");
  const exportPool = createPool({ url: asRole(url, "ngpu_autoexport"), name: "autoExport", max: 2 });
  const ended = exportChain({
    client,
    deployment,
    logger,
    signal,
    pool: exportPool,
    definitions: loadDefinitions(),
    watch: createWatch(new Registry()),
    following: { interval: 40 },
  });
  await eventually("the tables of schema chain", async () => {
    const { rows } = await pool.query<{ made: boolean }>(
      "select to_regclass('chain.contract') is not null as made",
    );
    if (rows[0]?.made !== true) return false;
    const found = await pool.query("select from chain.contract where name = 'Pomc' and address = $1", [
      deployment.contracts.Pomc.toLowerCase(),
    ]);
    return found.rowCount === 1;
  });
  return async () => {
    await stop();
    await ended;
    await exportPool.end();
  };
}

export type AssignmentRow = {
  replica: number;
  lease: number;
  node_id: number;
  state: string;
  desired: string;
  release_reason: string | null;
};

/** The exported leases of a workspace, oldest first. */
async function leasesOf({ pool }: TestMarket, workspaceId: bigint): Promise<AssignmentRow[]> {
  const { rows } = await pool.query<AssignmentRow>(
    `select replica, lease, node_id, state, desired, release_reason
     from chain.assignment where workspace_id = $1 order by lease, replica`,
    [workspaceId],
  );
  return rows;
}

/** Waits until the exported lease has the given values. */
export function untilLease(
  market: TestMarket,
  ref: LeaseRef,
  match: Partial<AssignmentRow>,
): Promise<AssignmentRow> {
  return eventually(
    `lease ${ref.workspaceId}/${ref.replica}/${ref.lease} ${JSON.stringify(match)}`,
    async () =>
      (await leasesOf(market, ref.workspaceId)).find(
        (row) =>
          row.replica === ref.replica &&
          row.lease === ref.lease &&
          Object.entries(match).every(([name, value]) => row[name as keyof AssignmentRow] === value),
      ),
  );
}
