import { runService, start } from "@ngpu/runtime/lifecycle";
import { startApiServer } from "../../../services/apiServer/apiServer.ts";
import { readApiEnv } from "../../../services/apiServer/env.ts";

/* apiServer without rate limits. */

const many = 1_000_000_000;

await start(async () => {
  const env = readApiEnv();
  await runService({ name: "apiServer", logLevel: env.LOG_LEVEL }, async (context) => {
    await startApiServer(context, env, { perKey: many, perAddress: many, signIn: many, writes: many });
  });
});
