import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate, readMigrations } from "@ngpu/db/migrate";
import { createPool, type Database } from "@ngpu/db/pool";
import { requireChainSchema, requireMigrations, requireSchema } from "@ngpu/db/schema";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { asRole } from "../../services/support/context.ts";
import { rootDir } from "../../support/parts.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

const own = join(rootDir, "packages/db/migrations");

describe("the schema check at startup", () => {
  let database: TestDatabase;
  let db: Database;
  let folder: string;

  beforeEach(async () => {
    database = await createTestDatabase();
    db = createPool({ url: asRole(database.url, "ngpu_gateway"), name: "test", max: 2 });
    folder = mkdtempSync(join(tmpdir(), "migrations-"));
    cpSync(own, folder, { recursive: true });
  });
  afterEach(async () => {
    await db.end();
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  const add = (name: string, mark: string) =>
    writeFileSync(
      join(folder, `${name}.sql`),
      `-- Up Migration\n${mark}\ncreate table app.more_${name} ();\n\n-- Down Migration\n`,
    );

  it("passes with the service's own migrations, before schema chain is built", async () => {
    await requireSchema(db);
  });

  it("passes when all newer migrations are additive", async () => {
    add("9000", "-- Additive");
    add("9001", "-- Additive");
    expect(await migrate(database.url, folder)).to.deep.equal(["9000", "9001"]);
    await requireSchema(db);
  });

  it("rejects a newer breaking migration, also when additive ones follow, with the hint to update", async () => {
    add("9000", "-- Breaking: its rows have another meaning.");
    add("9001", "-- Additive");
    await migrate(database.url, folder);
    const error = await errorOf(requireSchema(db));
    expect(error.code).to.equal("schema_newer");
    expect(error.message).to.include("9000").and.to.include("9001");
    expect(error.hint).to.include("Update this service");
    expect(error.details).to.deep.include({ breaking: ["9000"] });
    // The version that migrated the database runs on it.
    await requireMigrations(db, readMigrations(folder));
  });

  it("treats a newer migration without a mark as breaking", async () => {
    await withAdmin("insert into app.migration (name, run_on) values ('9000', now())");
    expect((await errorOf(requireSchema(db))).code).to.equal("schema_newer");
  });

  it("rejects a database without a migration of the service, with the hint to migrate", async () => {
    add("9000", "-- Additive");
    const error = await errorOf(requireMigrations(db, readMigrations(folder)));
    expect(error.code).to.equal("schema_outdated");
    expect(error.message).to.include("needs 9000");
    expect(error.hint).to.include("npm run migrate");
    await migrate(database.url, folder);
    await requireMigrations(db, readMigrations(folder));
  });

  it("changes nothing when an older version migrates a newer database", async () => {
    add("9000", "-- Breaking: of a later version.");
    await migrate(database.url, folder);
    expect(await migrate(database.url)).to.deep.equal([]);
    expect((await errorOf(requireSchema(db))).code).to.equal("schema_newer");
  });

  it("rejects a migration without a mark", () => {
    add("9000", "-- A comment.");
    expect(() => readMigrations(folder))
      .to.throw(FatalError)
      .with.property("code", "migration_unmarked");
    expect(readMigrations().map(({ additive }) => additive)).to.include(true);
  });

  it("accepts schema chain in its own version and in newer compatible versions", async () => {
    await builtAs(5, 3);
    for (const version of [3, 4, 5]) await requireChainSchema(db, { version, compatibleSince: 1 });
  });

  it("rejects a newer incompatible schema chain, with the hint to update the service", async () => {
    await builtAs(5, 3);
    const error = await errorOf(requireChainSchema(db, { version: 2, compatibleSince: 1 }));
    expect(error.code).to.equal("chain_schema_newer");
    expect(error.hint).to.include("Update this service");
  });

  it("rejects an older schema chain, with the hint to update autoExport", async () => {
    await builtAs(5, 3);
    const error = await errorOf(requireChainSchema(db, { version: 6, compatibleSince: 3 }));
    expect(error.code).to.equal("chain_schema_outdated");
    expect(error.hint).to.include("Update autoExport first");
  });

  it("rejects a schema chain without a version as outdated", async () => {
    await withAdmin(
      "create table chain.origin as select 1 as chain_id; grant select on chain.origin to ngpu_reader",
    );
    expect((await errorOf(requireSchema(db))).code).to.equal("chain_schema_outdated");
  });

  async function builtAs(version: number, compatibleSince: number) {
    await withAdmin(
      `create table chain.origin as select ${version} as version, ${compatibleSince} as compatible_since;
       grant select on chain.origin to ngpu_reader`,
    );
  }

  async function withAdmin(sql: string) {
    const admin = createPool({ url: database.url, name: "admin", max: 1 });
    await admin.query(sql);
    await admin.end();
  }
});

async function errorOf(check: Promise<void>): Promise<FatalError> {
  const error = await check.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FatalError) return error;
  throw new Error("The check did not throw a FatalError.", { cause: error });
}
