import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "@ngpu/db/migrate";
import pg from "pg";
import { createDatabase, databaseUrl, dropDatabase } from "../../scripts/embedded/databases.ts";
import { startPostgres } from "../../scripts/embedded/postgres.ts";
import { rootDir, stopAtEnd, testStateDir } from "./parts.ts";

export type TestDatabase = {
  name: string;
  /** As the superuser. */
  url: string;
  drop: () => Promise<void>;
};

// An arbitrary number that all test runs on a cluster share.
const TEMPLATE_LOCK = 7_999;

let cluster: Promise<string> | undefined;
let template: Promise<string> | undefined;

/**
 * The URL of the maintenance database of a real Postgres, as the superuser. It is TEST_DATABASE_URL, or that of a
 * cluster started for this mocha run.
 */
export function testCluster(): Promise<string> {
  cluster ??= openCluster();
  return cluster;
}

/** Creates a database for one suite with all migrations applied. It copies a template, which takes milliseconds. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const url = await testCluster();
  template ??= makeTemplate(url);
  return makeDatabase(url, await template);
}

async function openCluster(): Promise<string> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined && given !== "") return given;
  const postgres = await startPostgres({ stateDir: await testStateDir(), durable: false });
  stopAtEnd(postgres.stop);
  return postgres.url;
}

async function makeDatabase(url: string, from?: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  return { name, url: await createDatabase(url, name, from), drop: () => dropDatabase(url, name) };
}

/** Creates the template. Its name contains a hash of the migrations, so that changed migrations use a new one. */
async function makeTemplate(url: string): Promise<string> {
  const name = `template_${migrationsHash()}`;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [TEMPLATE_LOCK]);
    const { rowCount } = await client.query("select from pg_database where datname = $1", [name]);
    if (rowCount === 0) {
      // It has a draft name until it is complete.
      const draft = `${name}_draft`;
      await dropDatabase(url, draft);
      await createDatabase(url, draft);
      await migrate(databaseUrl(url, draft));
      await client.query(
        `alter database ${pg.escapeIdentifier(draft)} rename to ${pg.escapeIdentifier(name)}`,
      );
    }
  } finally {
    await client.end();
  }
  return name;
}

function migrationsHash(): string {
  const dir = join(rootDir, "packages/db/migrations");
  const hash = createHash("sha256");
  for (const file of readdirSync(dir).sort()) hash.update(file).update(readFileSync(join(dir, file)));
  return hash.digest("hex").slice(0, 12);
}
