import { createHash } from "node:crypto";
import { migrate, readMigrationFiles } from "@ngpu/db/migrate";
import pg from "pg";
import { createDatabase, databaseUrl, dropDatabase } from "./databases.ts";

const prefix = "template_";
// An arbitrary number that all programs on a cluster share.
const TEMPLATE_LOCK = 7_999;

/**
 * Creates a database with all migrations applied, unless the cluster has it. Copying it takes less time than migrating.
 *
 * @param url the maintenance database, as the superuser
 * @returns its name, which contains a hash of the migrations
 */
export async function migratedTemplate(url: string): Promise<string> {
  const name = `${prefix}${hashOfMigrations()}`;
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

/** Drops the templates of other sets of migrations. */
export async function dropOtherTemplates(url: string, kept: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>(
      "select datname from pg_database where starts_with(datname, $1) and not starts_with(datname, $2)",
      [prefix, kept],
    );
    for (const { datname } of rows) await dropDatabase(url, datname);
  } finally {
    await client.end();
  }
}

function hashOfMigrations(): string {
  const hash = createHash("sha256");
  for (const { name, text } of readMigrationFiles()) hash.update(name).update(text);
  return hash.digest("hex").slice(0, 12);
}
