import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { readChainVersion } from "./chainSchema.ts";
import { type Migration, readMigrations } from "./migrate.ts";
import type { Queryable } from "./pool.ts";

/** The difference between the migrations of this code and of the database that prevents running. */
export type SchemaMismatch = { type: "outdated"; missing: string[] } | { type: "newer"; breaking: string[] };

/** SQLSTATEs of a schema that does not exist yet: undefined table, undefined schema, no privilege. */
const schemaMissing = new Set(["42P01", "3F000", "42501"]);

/**
 * Checks at startup that Postgres responds and that this code is compatible with its schemas: all migrations of this
 * code are applied, and newer ones are additive. Schema `chain` may be missing.
 *
 * @throws FatalError `database_unreachable`, `database_login_failed`, `schema_outdated`, `schema_newer`,
 *   `chain_schema_outdated` or `chain_schema_newer`.
 */
export async function requireSchema(db: Queryable): Promise<void> {
  await requireMigrations(db);
  await requireChainSchema(db);
}

/** Checks only schema `app`. Used by autoExport, which builds schema `chain` itself. */
export async function requireMigrations(db: Queryable, known = readMigrations()): Promise<void> {
  const found = await readApplied(db);
  const mismatch = compareMigrations(known, found);
  if (mismatch === undefined) return;
  const newest = found.at(-1)?.name ?? "empty";
  const details = { found: found.at(-1)?.name ?? null, expected: known.at(-1)?.name, ...mismatch };
  if (mismatch.type === "newer") {
    const names = mismatch.breaking.join(", ");
    throw new FatalError(`The database schema is ${newest}; this version cannot run with ${names}.`, {
      code: "schema_newer",
      hint: "Update this service to the version that migrated the database, or a later one.",
      details,
    });
  }
  throw new FatalError(
    `The database schema is ${newest}; this version needs ${mismatch.missing.join(", ")}.`,
    {
      code: "schema_outdated",
      hint: "Run `npm run migrate` with DATABASE_ADMIN_URL set, then start again.",
      details,
    },
  );
}

/** Compares the migrations of this code with those of the database. Undefined if this code can run. */
export function compareMigrations(
  known: readonly Migration[],
  found: readonly Migration[],
): SchemaMismatch | undefined {
  const names = (migrations: readonly Migration[]) => new Set(migrations.map(({ name }) => name));
  const applied = names(found);
  const missing = [...names(known)].filter((name) => !applied.has(name));
  if (missing.length > 0) return { type: "outdated", missing };
  const expected = names(known);
  const breaking = found.filter(({ name, additive }) => !additive && !expected.has(name));
  return breaking.length === 0 ? undefined : { type: "newer", breaking: breaking.map(({ name }) => name) };
}

async function readApplied(db: Queryable): Promise<Migration[]> {
  try {
    // Read via JSON, so that a database without the column is reported as outdated.
    const { rows } = await db.query<Migration>(
      `select name, coalesce((to_jsonb(migration) ->> 'additive')::boolean, false) as additive
       from app.migration order by id`,
    );
    return rows;
  } catch (error) {
    const code = codeOf(error);
    if (schemaMissing.has(code)) return [];
    // 28: login rejected; 3D: no such database.
    if (/^(28|3D)...$/.test(code)) {
      throw new FatalError(`Postgres refused the connection: ${messageOf(error)}.`, {
        code: "database_login_failed",
        hint: "Check user, password and database in DATABASE_URL.",
        cause: error,
      });
    }
    throw new FatalError(`Postgres does not answer: ${code || messageOf(error)}.`, {
      code: "database_unreachable",
      hint: "Check DATABASE_URL and that the server is up.",
      cause: error,
    });
  }
}

/** Checks that this code can read schema `chain`, if it is built. */
export async function requireChainSchema(db: Queryable, expected = readChainVersion()): Promise<void> {
  const found = await readBuilt(db);
  if (found === undefined) return;
  const details = { found, expected };
  if (found.version < expected.version) {
    throw new FatalError(
      `Schema chain has version ${found.version}; this service needs ${expected.version}.`,
      {
        code: "chain_schema_outdated",
        hint: "Update autoExport first and wait until it has rebuilt schema chain, then start again.",
        details,
      },
    );
  }
  if (found.compatibleSince <= expected.version) return;
  throw new FatalError(
    `Schema chain has version ${found.version}, which needs services of version ${found.compatibleSince} or newer; this one has ${expected.version}.`,
    {
      code: "chain_schema_newer",
      hint: "Update this service to the version of autoExport, or a later one.",
      details,
    },
  );
}

async function readBuilt(db: Queryable): Promise<{ version: number; compatibleSince: number } | undefined> {
  try {
    const { rows } = await db.query<{ version: number; compatibleSince: number }>(
      `select coalesce((to_jsonb(origin) ->> 'version')::int4, 0) as version,
         coalesce((to_jsonb(origin) ->> 'compatible_since')::int4, 0) as "compatibleSince"
       from chain.origin`,
    );
    return rows[0];
  } catch (error) {
    if (schemaMissing.has(codeOf(error))) return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
