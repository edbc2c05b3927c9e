import { randomBytes } from "node:crypto";
import pg from "pg";
import { migrate } from "../../services/shared/db/migrate.ts";
import { createDatabase, databaseUrl, dropDatabase } from "../embedded/databases.ts";

const databaseName = "ngpu";

/** Database role of each service that has one. */
export const databaseRoles = {
  autoExport: "ngpu_autoexport",
  match: "ngpu_match",
  workspace: "ngpu_workspace",
  dispense: "ngpu_dispense",
  pomc: "ngpu_pomc",
  apiServer: "ngpu_api",
  gateway: "ngpu_gateway",
} as const;

export type DatabaseUrls = { admin: string; services: Record<keyof typeof databaseRoles, string> };

/**
 * Brings the database of the market up to date and lets each service in with a password of this run.
 *
 * @param afresh True where the chain was started anew: what the database says of the old one means nothing any more.
 */
export async function prepareDatabase(options: {
  adminUrl: string;
  embedded: boolean;
  afresh: boolean;
}): Promise<{ urls: DatabaseUrls; begunAnew: boolean }> {
  let admin = options.adminUrl;
  let begunAnew = false;
  if (options.embedded) {
    begunAnew = options.afresh && (await databaseExists(options.adminUrl));
    if (options.afresh) await dropDatabase(options.adminUrl, databaseName);
    if (options.afresh || !(await databaseExists(options.adminUrl)))
      await createDatabase(options.adminUrl, databaseName);
    admin = databaseUrl(options.adminUrl, databaseName);
  }
  await migrate(admin);
  return { urls: { admin, services: await letServicesIn(admin) }, begunAnew };
}

async function databaseExists(adminUrl: string): Promise<boolean> {
  const rows = await run(adminUrl, "select 1 from pg_database where datname = $1", [databaseName]);
  return rows.length > 0;
}

async function letServicesIn(adminUrl: string): Promise<DatabaseUrls["services"]> {
  const urls = new Map<string, string>();
  for (const [service, role] of Object.entries(databaseRoles)) {
    const password = randomBytes(24).toString("hex");
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
