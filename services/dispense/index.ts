import { runService, start } from "@ngpu/runtime/lifecycle";
import { startDispense } from "./dispense.ts";
import { readDispenseEnv } from "./env.ts";

await start(async () => {
  const settings = readDispenseEnv();
  await runService({ name: "dispense", logLevel: settings.LOG_LEVEL }, async (context) => {
    await startDispense(settings, context);
  });
});
