import { randomBytes } from "node:crypto";
import { createDatabase, dropDatabase } from "../../scripts/embedded/databases.ts";
import { startPostgres } from "../../scripts/embedded/postgres.ts";
import { migratedTemplate } from "../../scripts/embedded/template.ts";
import { stopAtEnd, testStateDir } from "./parts.ts";

export type TestDatabase = {
  name: string;
  /** As the superuser. */
  url: string;
  drop: () => Promise<void>;
};

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
  template ??= migratedTemplate(url);
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
