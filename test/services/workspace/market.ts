import { Registry } from "prom-client";
import { loadDefinitions } from "../../../services/autoExport/definitions.ts";
import { exportChain } from "../../../services/autoExport/lead.ts";
import { createWatch } from "../../../services/autoExport/metrics.ts";
import { createPool, type Database } from "../../../services/shared/db/pool.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createTestRedis } from "../../support/redis.ts";
import { asRole, createTestContext, eventually, type TestContext } from "../support/context.ts";
import type { LeaseRef } from "./acts.ts";
import { freshChain, type TestChain } from "./chain.ts";

/** A chain, its rows in Postgres and an empty Redis: what a service finds. */
export type TestMarket = {
  chain: TestChain;
  context: TestContext;
  redisUrl: string;
  /** Postgres as the role of a service sees it. */
  urlAs: (role: string) => string;
  /** The superuser's view, for looks at what came of it. */
  pool: Database;
  /** Waits until everything on the chain is in Postgres. */
  exported: () => Promise<void>;
  stop: () => Promise<void>;
};

/** Starts a market for one suite, with autoExport running. @param given The chain, fresh when left out. */
export async function openMarket(given?: TestChain): Promise<TestMarket> {
  const chain = given ?? (await freshChain());
  const database = await createTestDatabase();
  const context = createTestContext("market");
  const pool = createPool({ url: database.url, name: "test" });
  const exportPool = createPool({ url: asRole(database.url, "ngpu_autoexport"), name: "autoExport", max: 2 });
  const ended = exportChain({
    pool: exportPool,
    client: chain.client,
    deployment: chain.deployment,
    definitions: loadDefinitions(),
    watch: createWatch(new Registry()),
    logger: context.logger,
    signal: context.signal,
    following: { interval: 40 },
  });
  await eventually("the tables of schema chain", async () => {
    const { rows } = await pool.query<{ made: boolean }>(
      "select to_regclass('chain.head') is not null as made",
    );
    return rows[0]?.made;
  });
  const exported = async () => {
    const block = await chain.client.getBlockNumber();
    await eventually(`block ${block} in Postgres`, async () => {
      const { rows } = await pool.query<{ number: bigint }>(
        "select number from chain.head where tier = 'unsafe' and number >= $1",
        [block],
      );
      return rows.length === 1;
    });
  };
  return {
    chain,
    context,
    pool,
    exported,
    redisUrl: await createTestRedis(),
    urlAs: (role) => asRole(database.url, role),
    stop: async () => {
      await context.stop();
      await ended;
      await exportPool.end();
      await pool.end();
      await database.drop();
    },
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

/** A workspace's leases as exported, oldest first. */
async function leasesOf({ pool }: TestMarket, workspaceId: bigint): Promise<AssignmentRow[]> {
  const { rows } = await pool.query<AssignmentRow>(
    `select replica, lease, node_id, state, desired, release_reason
     from chain.assignment where workspace_id = $1 order by lease, replica`,
    [workspaceId],
  );
  return rows;
}

/** Waits until a lease is exported as the match describes. */
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
