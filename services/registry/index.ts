import { runService, start } from "@ngpu/runtime/lifecycle";
import { readRegistryEnv } from "./env.ts";
import { startRegistry } from "./registry.ts";

await start(async () => {
  const settings = readRegistryEnv();
  await runService({ name: "registry", logLevel: settings.LOG_LEVEL }, async (context) => {
    await startRegistry(settings, context);
  });
});
