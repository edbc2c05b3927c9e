import { runService, start } from "@ngpu/runtime/lifecycle";
import { startConfig } from "./config.ts";
import { readConfigEnv } from "./env.ts";

await start(async () => {
  const settings = readConfigEnv();
  await runService({ name: "config", logLevel: settings.LOG_LEVEL }, async (context) => {
    await startConfig(settings, context);
  });
});
