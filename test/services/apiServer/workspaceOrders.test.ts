import { createPool, type Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { pino } from "pino";
import type { Writer } from "../../../services/apiServer/chainWriter.ts";
import { createWorkspaceOrders, type OrderSender } from "../../../services/apiServer/workspaceOrders.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

const call = {
  kind: "test",
  contract: "DockerContract",
  functionName: "closeWorkspace",
  args: [7n],
} as const;

describe("orders of one workspace in one process", function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let pool: Database;
  before(async () => {
    database = await createTestDatabase();
    pool = createPool({ url: database.url, name: "test" });
  });
  afterEach(() => pool.query("truncate app.workspace_order"));
  after(async () => {
    await pool.end();
    await database.drop();
  });

  const ordersOn = (db: Database, written: string[] = []) =>
    createWorkspaceOrders({
      db,
      runner: 1n,
      logger: pino({ level: "silent" }),
      signal: new AbortController().signal,
      writer: {
        write: async ({ dedupeKey }: { dedupeKey?: string }) => void written.push(String(dedupeKey)),
        settled: async () => 1n,
        exported: async () => true,
      } as unknown as Writer,
    });

  /** A database that runs the first claim only after a second one, or when nothing else is left to run. */
  function late(): { db: Database; release: () => void } {
    const second = Promise.withResolvers<void>();
    let claims = 0;
    const query = async (...args: Parameters<Database["query"]>) => {
      const isClaim = String(args[0]).includes("insert into app.workspace_order");
      if (!isClaim) return pool.query(...args);
      claims += 1;
      if (claims === 1) await second.promise;
      const answer = await pool.query(...args);
      second.resolve();
      return answer;
    };
    const db = new Proxy(pool, {
      get: (target, name) => (name === "query" ? query : Reflect.get(target, name)),
    });
    return { db, release: second.resolve };
  }

  it("run one after the other, in whatever order the database receives their claims", async () => {
    const { db, release } = late();
    const orders = ordersOn(db);
    let active = 0;
    let most = 0;
    const send = async () => {
      active += 1;
      most = Math.max(most, active);
      await pool.query("select pg_sleep(0.3)");
      active -= 1;
    };
    const first = orders.run("7", send);
    const second = orders.run("7", send).then(
      () => "sent",
      (error: unknown) => (error instanceof InputError ? error.code : error),
    );
    const other = orders.run("8", send);
    expect(await Promise.race([second, first])).to.equal("order_in_progress");
    release();
    await Promise.all([first, other]);
    expect(most).to.be.at.most(2);
    await orders.run("7", send);
  });

  it("wait for each other when they are asked to", async () => {
    const orders = ordersOn(pool);
    const done: string[] = [];
    const send = (name: string) => async () => {
      done.push(`${name} begins`);
      await pool.query("select pg_sleep(0.1)");
      done.push(`${name} ends`);
    };
    await Promise.all([
      orders.run("7", send("one"), { waits: true }),
      orders.run("7", send("two"), { waits: true }),
    ]);
    expect(done).to.deep.equal(["one begins", "one ends", "two begins", "two ends"]);
  });

  it("send nothing under a claim that another process has taken over", async () => {
    const written: string[] = [];
    const orders = ordersOn(pool, written);
    const send = async (order: OrderSender) => {
      await order.write(call);
      await pool.query("update app.workspace_order set runner = 2, claim = gen_random_uuid()");
      await order.write(call);
    };
    const refused = await orders.run("7", send).catch((error: unknown) => error);
    expect(refused).to.have.property("code", "order_in_progress");
    expect(written).to.have.length(1);
    const { rows } = await pool.query("select runner::int from app.workspace_order");
    expect(rows).to.deep.equal([{ runner: 2 }]);
  });
});
