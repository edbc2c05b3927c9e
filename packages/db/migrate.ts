import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import pg from "pg";

/** `additive`: a service built before the migration can run on a database that has it. */
export type Migration = { name: string; additive: boolean };

/** @deadline A connection to Postgres for migrations. They fail with `migration_failed`, and are safe to run again. */
const connectDeadline = 10_000;

const migrationFolder = join(import.meta.dirname, "migrations");

/**
 * The migrations in a folder, oldest first. Each file must have a line `-- Additive` or `-- Breaking: <why>`.
 *
 * @throws FatalError `migrations_not_found`; `migration_unmarked`, with the file.
 */
export function readMigrations(folder = migrationFolder): Migration[] {
  return readMigrationFiles(folder).map(({ name, text }) => ({ name, additive: isAdditive(name, text) }));
}

/** The text of each migration in a folder, oldest first. @throws FatalError `migrations_not_found` */
export function readMigrationFiles(folder = migrationFolder): { name: string; text: string }[] {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort();
  if (files.length === 0)
    throw new FatalError("There are no migrations.", {
      code: "migrations_not_found",
      hint: "Reinstall this release: its folder of migrations is empty.",
    });
  return files.map((file) => ({
    name: basename(file, ".sql"),
    text: readFileSync(join(folder, file), "utf8"),
  }));
}

function isAdditive(name: string, text: string): boolean {
  const mark = /^-- (Additive|Breaking: \S.*)$/m.exec(text)?.[1];
  if (mark !== undefined) return mark === "Additive";
  throw new FatalError(`Migration ${name}.sql does not declare whether older services can run on it.`, {
    code: "migration_unmarked",
    hint: "Add a line `-- Additive` or `-- Breaking: <why>`.",
  });
}

/**
 * Applies the pending migrations to schema `app`. Safe to run repeatedly and from several processes at the same time.
 *
 * @param adminUrl Postgres URL with a role that may create roles and schemas.
 * @returns Names of the applied migrations.
 * @throws FatalError `migration_failed`, or as readMigrations.
 */
export async function migrate(adminUrl: string, folder = migrationFolder): Promise<string[]> {
  const known = readMigrations(folder);
  try {
    // Loaded here: services read the list of migrations when they start, and only migrating needs its 200 KB of code.
    const { runner } = await import("node-pg-migrate");
    const ran = await runner({
      databaseUrl: { connectionString: adminUrl, connectionTimeoutMillis: connectDeadline },
      dir: folder,
      direction: "up",
      migrationsTable: "migration",
      migrationsSchema: "app",
      createMigrationsSchema: true,
      noLock: false,
      log: () => undefined,
    });
    await recordAdditive(adminUrl, known);
    return ran.map((migration) => migration.name);
  } catch (error) {
    throw new FatalError(`The database could not be migrated: ${messageOf(error)}`, {
      code: "migration_failed",
      hint: "Check DATABASE_ADMIN_URL: its role must be able to create roles and schemas.",
      cause: error,
    });
  }
}

async function recordAdditive(adminUrl: string, known: readonly Migration[]): Promise<void> {
  const client = new pg.Client({
    connectionString: adminUrl,
    connectionTimeoutMillis: connectDeadline,
  });
  await client.connect();
  try {
    await client.query("update app.migration set additive = true where name = any($1) and not additive", [
      known.filter(({ additive }) => additive).map(({ name }) => name),
    ]);
  } finally {
    await client.end();
  }
}
