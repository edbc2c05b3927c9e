import { createPool, type Database } from "@ngpu/db/pool";
import { holdRunnerLock, releaseAbandoned } from "@ngpu/db/runnerLock";
import { NgpuError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { eventually } from "../../services/support/context.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcpProxy.ts";

const deadlines = { connect: 500, answer: 500, close: 100 };
const work = {
  open: "select runner from work",
  release: "delete from work where runner = $1",
};

describe("lock of a process", () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let pool: Database;
  let failures: unknown[];
  let stops: (() => Promise<void> | void)[];

  before(async () => {
    database = await createTestDatabase();
    pool = createPool({ url: database.url, name: "test", max: 4 });
    await pool.query("create table work (runner bigint)");
  });
  beforeEach(async () => {
    proxy = await startTcpProxy(new URL(database.url));
    failures = [];
    stops = [];
  });
  afterEach(async () => {
    for (const stop of stops) await stop();
    proxy.stop();
    await pool.query("delete from work");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  const hold = async () => {
    const runner = await holdRunnerLock(
      { url: proxy.url, name: "test work", deadlines, checkInterval: 100 },
      {
        logger: createLogger("test", "silent"),
        fail: (error) => failures.push(error),
        onStop: (_name, stop) => stops.push(stop),
      },
    );
    await pool.query("insert into work values ($1)", [runner]);
    return runner;
  };
  const release = () => releaseAbandoned(pool, 1n, work);
  const holders = async (runner: bigint) => {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and granted
         and (classid::bigint << 32 | objid::bigint) = $1`,
      [runner],
    );
    return rows.map(({ pid }) => pid);
  };

  it("is taken again when Postgres ends its connection: the process goes on, and its work stays its own", async () => {
    const runner = await hold();
    const [first] = await holders(runner);
    await pool.query("select pg_terminate_backend($1)", [first]);
    await eventually("another connection", async () => {
      const [pid] = await holders(runner);
      return pid !== undefined && pid !== first;
    });
    expect(await release()).to.equal(0);
    expect(failures).to.deep.equal([]);
  });

  it("is found free once its process ended: the work is released, once", async () => {
    const runner = await hold();
    for (const stop of stops.splice(0)) await stop();
    await eventually("the end of its connection", async () => (await holders(runner)).length === 0);
    const released = await Promise.all([release(), release()]);
    expect(released.toSorted()).to.deep.equal([0, 1]);
  });

  it("shows a process that could not reach Postgres that its work was released: it fails", async () => {
    const runner = await hold();
    proxy.cut();
    await eventually("the end of its connection", async () => (await holders(runner)).length === 0);
    expect(await release()).to.equal(1);
    proxy.restore();
    await eventually("the failure", async () => failures.length === 1);
    expect(failures[0]).to.be.instanceOf(NgpuError).with.property("code", "runner_work_released");
  });
});
