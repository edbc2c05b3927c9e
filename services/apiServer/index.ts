import { runService, start } from "@ngpu/runtime/lifecycle";
import { startApiServer } from "./apiServer.ts";
import { readApiEnv } from "./env.ts";

await start(async () => {
  const env = readApiEnv();
  await runService({ name: "apiServer", logLevel: env.LOG_LEVEL }, async (context) => {
    await startApiServer(context, env);
  });
});
