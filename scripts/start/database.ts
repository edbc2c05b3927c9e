import { createHash, createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "@ngpu/db/migrate";
import pg from "pg";
import { createDatabase, databaseUrl, dropDatabase } from "../embedded/databases.ts";
import { dropOtherTemplates, migratedTemplate } from "../embedded/template.ts";
import type { MarketChain } from "./market.ts";

/** Database role of each service that has one, and of match's witness. */
export const databaseRoles = {
  autoExport: "ngpu_autoexport",
  match: "ngpu_match",
  witness: "ngpu_witness",
  workspace: "ngpu_workspace",
  dispense: "ngpu_dispense",
  pomc: "ngpu_pomc",
  apiServer: "ngpu_api",
  gateway: "ngpu_gateway",
  webhooks: "ngpu_webhooks",
  registry: "ngpu_registry",
} as const;

export type DatabaseUrls = { admin: string; services: Record<keyof typeof databaseRoles, string> };

type Choice = {
  postgres: { adminUrl: string; embedded: boolean };
  chain: Pick<MarketChain, "chainId" | "embedded">;
  stateDir: string;
  /**
   * The services' database passwords are derived from it. It is the same at each start, so running services keep
   * their access.
   */
  secret: string;
};

/**
 * Migrates the market's database and sets up each service's login.
 * The embedded chain is reset at each start, so its database is dropped and created again. A persistent chain keeps
 * its database: the configured one, or one of the embedded Postgres that is named after the chain.
 */
export async function prepareDatabase(choice: Choice): Promise<{ urls: DatabaseUrls; recreated: boolean }> {
  const { adminUrl } = choice.postgres;
  const name = databaseName(choice);
  let admin = adminUrl;
  let recreated = false;
  if (name !== undefined) {
    const exists = await databaseExists(adminUrl, name);
    recreated = exists && choice.chain.embedded;
    if (recreated) await dropDatabase(adminUrl, name);
    if (recreated || !exists) await makeDatabase(choice, name);
    admin = databaseUrl(adminUrl, name);
  }
  await migrate(admin);
  const services = await grantServiceLogins(admin, choice.secret);
  // Terminal commands read this file. It holds the API's read access, for a user who may read the keys beside it.
  writeFileSync(join(choice.stateDir, "database-url"), `${services.apiServer}\n`, { mode: 0o600 });
  return { urls: { admin, services }, recreated };
}

/** Of the embedded Postgres, a copy of a migrated database, so that only the first start migrates. */
async function makeDatabase({ postgres: { adminUrl, embedded } }: Choice, name: string): Promise<void> {
  if (!embedded) {
    await createDatabase(adminUrl, name);
    return;
  }
  const template = await migratedTemplate(adminUrl);
  await dropOtherTemplates(adminUrl, template);
  await createDatabase(adminUrl, name, template);
}

/** Undefined: the configured database itself. */
function databaseName({ postgres, chain, stateDir }: Choice): string | undefined {
  if (!chain.embedded) return postgres.embedded ? `ngpu_chain_${chain.chainId}` : undefined;
  if (postgres.embedded) return "ngpu";
  // Other markets may use the same server.
  return `ngpu_embedded_${createHash("sha256").update(stateDir).digest("hex").slice(0, 8)}`;
}

async function databaseExists(adminUrl: string, name: string): Promise<boolean> {
  const rows = await run(adminUrl, "select 1 from pg_database where datname = $1", [name]);
  return rows.length > 0;
}

async function grantServiceLogins(adminUrl: string, secret: string): Promise<DatabaseUrls["services"]> {
  const urls = new Map<string, string>();
  for (const [service, role] of Object.entries(databaseRoles)) {
    const password = createHmac("sha256", secret).update(role).digest("hex");
    await run(
      adminUrl,
      `alter role ${pg.escapeIdentifier(role)} login password ${pg.escapeLiteral(password)}`,
    );
    const url = new URL(adminUrl);
    url.username = role;
    url.password = password;
    urls.set(service, url.href);
  }
  return Object.fromEntries(urls) as DatabaseUrls["services"];
}

async function run(url: string, sql: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}
