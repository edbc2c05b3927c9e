import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { createPool, type Database } from "@ngpu/db/pool";
import { expect } from "chai";
import { takeBatch } from "../../../services/dispense/batches.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { createChainTables, insertNode, insertRow } from "../support/chainTables.ts";
import { deploymentDocument } from "../support/deployment.ts";

const deployment = parseDeployment(deploymentDocument);

describe("dispense: batches of several instances on one Postgres", () => {
  let database: TestDatabase;
  let instances: Database[];

  before(async () => {
    database = await createTestDatabase();
    instances = Array.from({ length: 4 }, () => createPool({ url: database.url, name: "test" }));
    await createChainTables(anyone());
  });
  after(async () => {
    for (const pool of instances) await pool.end();
    await database.drop();
  });

  const anyone = () => instances[0] as Database;
  const answered = (count: number, nodeId: number) =>
    anyone().query(
      `insert into app.placement (request_id, workspace_id, replica, status, node_id, answered_at)
       select gen_random_uuid(), $2::int4, replica, 'answered', $2::int4, now() from generate_series(0, $1::int4 - 1) as replica`,
      [count, nodeId],
    );
  /** Takes batches until none is left. */
  const takeAll = async (pool: Database, limits: { batchSize: number; perNode: number }) => {
    const taken: string[] = [];
    for (;;) {
      const batch = await takeBatch(pool, { ...limits, deployment, runner: 1n });
      if (batch === null) return taken;
      taken.push(...batch.items.map(({ requestId }) => requestId));
    }
  };

  it("adds each placement to one batch", async () => {
    await answered(200, 1);
    const taken = await Promise.all(
      instances.flatMap((pool) => [1, 2].map(() => takeAll(pool, { batchSize: 2, perNode: 1_000 }))),
    );
    const all = taken.flat();
    expect(all).to.have.length(200);
    expect(new Set(all).size).to.equal(200);
  });

  it("limits concurrent transfers to a node across instances", async () => {
    await answered(50, 2);
    const taken = await Promise.all(
      instances.flatMap((pool) => [1, 2].map(() => takeAll(pool, { batchSize: 1, perNode: 3 }))),
    );
    expect(taken.flat()).to.have.length.within(1, 3);
  });

  it("names the price that the node had at the block of the decision, whatever it is by then", async () => {
    const { rows } = await insertNode(anyone(), {
      node_id: 3,
      key: `0x${"33".repeat(20)}`,
      price_per_second: 9,
      block_number: 10,
    }).then(() => anyone().query("select * from chain.node where node_id = 3"));
    const { block_number: _, ...past } = { ...rows[0], price_per_second: 5, valid_from: 1, valid_to: 10 };
    await insertRow(anyone(), "chain.node_past", past);
    for (const [replica, block] of [5, 12].entries()) {
      await anyone().query(
        `insert into app.placement (request_id, workspace_id, replica, status, node_id, answered_at, block_number)
         values (gen_random_uuid(), 3, $1, 'answered', 3, now(), $2)`,
        [replica, block],
      );
    }
    const batch = await takeBatch(anyone(), { batchSize: 50, perNode: 50, deployment, runner: 1n });
    const items = batch?.items
      .filter(({ workspaceId }) => workspaceId === 3n)
      .map(({ decidedAt, pricePerSecond }) => ({ decidedAt, pricePerSecond }));
    expect(items).to.have.deep.members([
      { decidedAt: 5n, pricePerSecond: 5n },
      { decidedAt: 12n, pricePerSecond: 9n },
    ]);
  });
});
