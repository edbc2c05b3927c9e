import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { createDatabase, databaseUrl, dropDatabase } from "../../scripts/embedded/databases.ts";
import { startPostgres } from "../../scripts/embedded/postgres.ts";
import { createTestDatabase, testCluster } from "../support/postgres.ts";
import { gone, temporaryDir, uidOf } from "./setup.ts";

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe("embedded Postgres", () => {
  it("keeps its rows from one start to the next", async () => {
    using dir = temporaryDir();
    const first = await startPostgres({ stateDir: dir.path });
    await query(first.url, "create table kept as select 42 as answer");
    await first.stop();
    const second = await startPostgres({ stateDir: dir.path });
    const rows = await query<{ answer: number }>(second.url, "select answer from kept");
    await second.stop();
    expect(rows).to.deep.equal([{ answer: 42 }]);
  });

  it("works in a directory that only its owner may enter, and not as root", async () => {
    using dir = temporaryDir();
    const postgres = await startPostgres({ stateDir: dir.path, durable: false });
    const uid = uidOf(postgres.process.pid);
    await postgres.stop();
    expect(uid).not.to.equal(0);
  });

  it("requires the password, and listens only on this machine", async () => {
    using dir = temporaryDir();
    const postgres = await startPostgres({ stateDir: dir.path, durable: false });
    const wrong = new URL(postgres.url);
    wrong.password = "wrong";
    const refusal = await query(wrong.href, "select 1").catch((error: unknown) => error);
    const addresses = await query(postgres.url, "show listen_addresses");
    const access = readFileSync(join(dir.path, "postgres/data/pg_hba.conf"), "utf8");
    await postgres.stop();
    expect(refusal).to.be.instanceOf(pg.DatabaseError).with.property("code", "28P01");
    expect(addresses).to.deep.equal([{ listen_addresses: "127.0.0.1" }]);
    expect(access).not.to.match(/^\w.*trust/m);
  });

  it("leaves nothing running when stopped, even twice with an open session", async () => {
    using dir = temporaryDir();
    const postgres = await startPostgres({ stateDir: dir.path, durable: false });
    const client = new pg.Client({ connectionString: postgres.url });
    // The server ends this session, which pg reports as an error.
    client.on("error", () => undefined);
    await client.connect();
    await Promise.all([postgres.stop(), postgres.stop()]);
    await postgres.stop();
    expect(await gone(postgres.process.pid)).to.equal(true);
  });

  it("creates databases, copies them and drops them while in use", async () => {
    const cluster = await testCluster();
    const first = await createDatabase(cluster, 'odd "name"');
    await query(first, "create table t as select 1 as one");
    const copy = await createDatabase(cluster, "copy_of_odd", 'odd "name"');
    expect(await query(copy, "select one from t")).to.deep.equal([{ one: 1 }]);
    const client = new pg.Client({ connectionString: databaseUrl(cluster, "copy_of_odd") });
    client.on("error", () => undefined);
    await client.connect();
    await dropDatabase(cluster, "copy_of_odd");
    await dropDatabase(cluster, "copy_of_odd");
    await dropDatabase(cluster, 'odd "name"');
    const left = await query(cluster, "select datname from pg_database where datname like '%odd%'");
    expect(left).to.deep.equal([]);
  });

  it("gives each suite its own migrated database", async () => {
    const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    await query(one.url, "create table only_here ()");
    const tables = "select table_name from information_schema.tables where table_name = 'only_here'";
    expect(await query(two.url, tables)).to.deep.equal([]);
    const [migrations] = await query<{ n: string }>(two.url, "select count(*) as n from app.migration");
    expect(Number(migrations?.n)).to.be.greaterThan(0);
    await Promise.all([one.drop(), two.drop()]);
  });
});
