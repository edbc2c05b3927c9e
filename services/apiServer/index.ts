import { runService, start } from "../shared/lifecycle.ts";
import { startApiServer } from "./apiServer.ts";
import { readApiEnv } from "./env.ts";

await start(async () => {
  const env = readApiEnv();
  await runService({ name: "apiServer", logLevel: env.LOG_LEVEL }, async (context) => {
    await startApiServer(context, env);
  });
});
