// Migrates the database of services that run without `npm start`, which migrates by itself.

import { migrate } from "@ngpu/db/migrate";
import { readEnv } from "@ngpu/runtime/env";
import { start } from "@ngpu/runtime/lifecycle";
import { z } from "zod";

await start(async () => {
  const env = readEnv({
    DATABASE_ADMIN_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, "is not a postgres:// URL")
      .describe("Postgres, with a role that may create roles and schemas"),
  });
  const ran = await migrate(env.DATABASE_ADMIN_URL);
  process.stdout.write(ran.length === 0 ? "The database is up to date.\n" : `Migrated: ${ran.join(", ")}.\n`);
});
