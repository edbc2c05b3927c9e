import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { runner } from "node-pg-migrate";

const directory = join(import.meta.dirname, "migrations");

/** Name of the newest migration that this code knows. */
export function newestMigration(): string {
  const names = readdirSync(directory)
    .filter((file) => file.endsWith(".sql"))
    .sort();
  const newest = names.at(-1);
  if (newest === undefined) throw new FatalError("There are no migrations.", { code: "migrations_missing" });
  return newest.replace(/\.sql$/, "");
}

/**
 * Brings schema `app` up to date; safe to run twice and from several processes at once.
 *
 * @param adminUrl Postgres with a role that may create roles and schemas.
 * @returns Names of the migrations that were run.
 */
export async function migrate(adminUrl: string): Promise<string[]> {
  try {
    const ran = await runner({
      databaseUrl: adminUrl,
      dir: directory,
      direction: "up",
      migrationsTable: "migration",
      migrationsSchema: "app",
      createMigrationsSchema: true,
      noLock: false,
      log: () => undefined,
    });
    return ran.map((migration) => migration.name);
  } catch (error) {
    throw new FatalError(`The database could not be migrated: ${messageOf(error)}`, {
      code: "migration_failed",
      hint: "Check DATABASE_ADMIN_URL: its role must be able to create roles and schemas.",
      cause: error,
    });
  }
}
