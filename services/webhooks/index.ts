import { runService, start } from "@ngpu/runtime/lifecycle";
import { readWebhooksEnv } from "./env.ts";
import { startWebhooks } from "./webhooks.ts";

/** Longer than a receiver may take, so that an attempt that is being made is recorded. */
const stopDeadline = 18_000;

await start(async () => {
  const settings = readWebhooksEnv();
  await runService({ name: "webhooks", logLevel: settings.LOG_LEVEL, stopDeadline }, async (context) => {
    await startWebhooks(settings, context);
  });
});
