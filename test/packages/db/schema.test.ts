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

describe("the check of the database's schemas at a service's start", () => {
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

  it("passes on the migrations that the service was built with, before schema chain is built", async () => {
    await requireSchema(db);
  });

  it("passes when a newer version has migrated the database and all of it is additive", async () => {
    add("9000", "-- Additive");
    add("9001", "-- Additive");
    expect(await migrate(database.url, folder)).to.deep.equal(["9000", "9001"]);
    await requireSchema(db);
  });

  it("says to update the service after a migration that breaks older services, also when further ones do not", async () => {
    add("9000", "-- Breaking: its rows have another meaning.");
    add("9001", "-- Additive");
    await migrate(database.url, folder);
    const error = await refusalOf(requireSchema(db));
    expect(error.code).to.equal("schema_newer");
    expect(error.message).to.include("9000").and.to.include("9001");
    expect(error.hint).to.include("Update this service");
    expect(error.details).to.deep.include({ breaking: ["9000"] });
    // The version that migrated it runs on it.
    await requireMigrations(db, readMigrations(folder));
  });

  it("takes a newer migration that nobody marked as one that breaks", async () => {
    await withAdmin("insert into app.migration (name, run_on) values ('9000', now())");
    expect((await refusalOf(requireSchema(db))).code).to.equal("schema_newer");
  });

  it("says to migrate a database that lacks what the service was built with", async () => {
    add("9000", "-- Additive");
    const error = await refusalOf(requireMigrations(db, readMigrations(folder)));
    expect(error.code).to.equal("schema_outdated");
    expect(error.message).to.include("needs 9000");
    expect(error.hint).to.include("npm run migrate");
    await migrate(database.url, folder);
    await requireMigrations(db, readMigrations(folder));
  });

  it("lets the older version's migrate run on the newer database and change nothing", async () => {
    add("9000", "-- Breaking: of a later version.");
    await migrate(database.url, folder);
    expect(await migrate(database.url)).to.deep.equal([]);
    expect((await refusalOf(requireSchema(db))).code).to.equal("schema_newer");
  });

  it("wants each migration to say whether older services can run on it", () => {
    add("9000", "-- No word of it.");
    expect(() => readMigrations(folder))
      .to.throw(FatalError)
      .with.property("code", "migration_unmarked");
    expect(readMigrations().map(({ additive }) => additive)).to.include(true);
  });

  it("reads a schema chain of its own version and of newer ones that are compatible with it", async () => {
    await builtAs(5, 3);
    for (const version of [3, 4, 5]) await requireChainSchema(db, { version, compatibleSince: 1 });
  });

  it("says to update the service when schema chain is newer than it can read", async () => {
    await builtAs(5, 3);
    const error = await refusalOf(requireChainSchema(db, { version: 2, compatibleSince: 1 }));
    expect(error.code).to.equal("chain_schema_newer");
    expect(error.hint).to.include("Update this service");
  });

  it("says to update autoExport when schema chain is older than the service", async () => {
    await builtAs(5, 3);
    const error = await refusalOf(requireChainSchema(db, { version: 6, compatibleSince: 3 }));
    expect(error.code).to.equal("chain_schema_outdated");
    expect(error.hint).to.include("Update autoExport first");
  });

  it("calls a schema chain from before versions were counted outdated", async () => {
    await withAdmin(
      "create table chain.origin as select 1 as chain_id; grant select on chain.origin to ngpu_reader",
    );
    expect((await refusalOf(requireSchema(db))).code).to.equal("chain_schema_outdated");
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

async function refusalOf(check: Promise<void>): Promise<FatalError> {
  const error = await check.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FatalError) return error;
  throw new Error("It was not refused.", { cause: error });
}
