import { once } from "node:events";
import { holdLeadership } from "@ngpu/db/leader";
import { listenForChanges } from "@ngpu/db/listen";
import { createPool, type Database, transaction } from "@ngpu/db/pool";
import { connectRedis, enqueue, openQueue, serveQueue } from "@ngpu/db/queue";
import { RetryableError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { eventually } from "../../services/support/context.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { createTestRedis } from "../../support/redis.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcpProxy.ts";

const deadlines = { connect: 300, answer: 300, close: 100 };
const logger = createLogger("test", "silent");

describe("Postgres falls silent", () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let pool: Database;
  const stopping = new AbortController();

  before(async () => {
    database = await createTestDatabase();
    proxy = await startTcpProxy(new URL(database.url));
  });
  beforeEach(() => {
    proxy.restore();
    pool = createPool({ url: proxy.url, name: "test", max: 2, deadlines });
  });
  afterEach(() => pool.end());
  after(async () => {
    stopping.abort();
    proxy.stop();
    await database.drop();
  });

  const unreachable = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(RetryableError).with.property("code", "database_unreachable");
  };

  it("before it accepts a connection: the caller gets a typed error", async () => {
    proxy.mute();
    await unreachable(pool.query("select 1"));
    await unreachable(transaction(pool, async (connection) => connection.query("select 1")));
    expect([pool.totalCount, pool.waitingCount]).to.deep.equal([0, 0]);
  });

  it("during a statement: the caller gets a typed error, and every place in the pool is free again", async () => {
    await Promise.all([pool.query("select pg_sleep(0)"), pool.query("select pg_sleep(0)")]);
    proxy.mute();
    await Promise.all([unreachable(pool.query("select 1")), unreachable(pool.query("select 1"))]);
    expect(pool.totalCount).to.equal(0);
    proxy.restore();
    expect((await pool.query("select 1 as one")).rows).to.deep.equal([{ one: 1 }]);
  });

  it("between two statements of a transaction: its caller gets a typed error, and the process goes on", async () => {
    const ended = Promise.withResolvers<void>();
    await unreachable(
      transaction(pool, async (connection) => {
        const { rows } = await connection.query<{ pid: number }>("select pg_backend_pid() as pid");
        connection.once("end", () => ended.resolve());
        await pool.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
        await ended.promise;
        await connection.query("select 1");
      }),
    );
    expect((await pool.query("select 1 as one")).rows).to.deep.equal([{ one: 1 }]);
  });

  it("inside a transaction: it is rolled back, and its locks are free again", async () => {
    await pool.query("create table kept as select 1 as value");
    await unreachable(
      transaction(pool, async (connection) => {
        await connection.query("update kept set value = 2");
        proxy.mute();
        await connection.query("update kept set value = 3");
      }),
    );
    proxy.restore();
    await pool.query("update kept set value = value + 10");
    expect((await pool.query("select value from kept")).rows).to.deep.equal([{ value: 11 }]);
  });

  it("while locks are held elsewhere: only the waiting statement ends, with Postgres' own error", async () => {
    await pool.query("create table locked as select 1 as value");
    const impatient = createPool({
      url: proxy.url,
      name: "impatient",
      max: 1,
      deadlines: { statement: 200 },
    });
    await transaction(pool, async (connection) => {
      await connection.query("lock table locked");
      const waiting = impatient.query("select * from locked");
      expect(await waiting.catch((error: unknown) => (error as { code: string }).code)).to.equal("57014");
      expect((await impatient.query("select 1 as one")).rows).to.deep.equal([{ one: 1 }]);
    });
    await impatient.end();
  });

  it("under a leader: its work is told to stop, and it leads again once Postgres answers", async () => {
    const leads: AbortSignal[] = [];
    const ended = holdLeadership({
      url: proxy.url,
      deadlines,
      checkInterval: 20,
      leadership: "pomc",
      logger,
      signal: stopping.signal,
      lead: async (signal) => {
        leads.push(signal);
        if (!signal.aborted) await once(signal, "abort");
      },
    });
    await eventually("the leadership", async () => leads.length === 1);
    proxy.mute();
    await eventually("the end of the leadership", async () => leads[0]?.aborted === true);
    proxy.restore();
    await eventually("another leadership", async () => leads.length === 2);
    stopping.abort();
    await ended;
  });

  it("under a listener: it connects again and asks for what it has missed", async () => {
    const own = await startTcpProxy(new URL(database.url));
    const end = new AbortController();
    let notices = 0;
    listenForChanges({
      url: own.url,
      deadlines,
      checkInterval: 20,
      logger,
      signal: end.signal,
      channels: ["app_changed"],
      onNotice: () => {
        notices += 1;
      },
    });
    await eventually("the first notice", async () => notices === 1);
    own.mute();
    await eventually("the loss of the connection", async () => own.connections() === 0);
    own.restore();
    await eventually("a notice of the new connection", async () => notices === 2);
    await pool.query("notify app_changed");
    await eventually("a notification", async () => notices === 3);
    end.abort();
    await eventually("the end of the connection", async () => own.connections() === 0);
    own.stop();
  });
});

describe("Redis falls silent", () => {
  it("while jobs are added and served: the caller gets a typed error, and every job is served in the end", async () => {
    const proxy = await startTcpProxy(new URL(await createTestRedis()));
    const redis = connectRedis(proxy.url, { connect: 300, answer: 6_000 });
    redis.on("error", () => undefined);
    const stops: (() => Promise<void> | void)[] = [];
    const context = { logger, onStop: (_name: string, stop: () => Promise<void> | void) => stops.push(stop) };
    const queue = openQueue("workspace", redis, context);
    const served = new Set<string>();
    serveQueue("workspace", redis, context, async ({ workspaceId = "" }) => void served.add(workspaceId));
    await enqueue(queue, { workspaceId: "1" });
    await eventually("the first job", async () => served.has("1"));
    proxy.mute();
    const error = await enqueue(queue, { workspaceId: "2" }, 200).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(RetryableError).with.property("code", "redis_unreachable");
    proxy.restore();
    await eventually("the other jobs", async () => {
      await enqueue(queue, { workspaceId: "3" }, 30_000).catch(() => undefined);
      return served.has("2") && served.has("3");
    });
    for (const stop of stops.reverse()) await stop();
    redis.disconnect();
    proxy.stop();
  });
});
