import { runService, start } from "@ngpu/runtime/lifecycle";
import { readWebhooksEnv } from "./env.ts";
import { startWebhooks } from "./webhooks.ts";

/** @deadline The attempts that are being made when webhooks stops: longer than a receiver may take. The process exits. */
const stopDeadline = 18_000;

await start(async () => {
  const settings = readWebhooksEnv();
  await runService({ name: "webhooks", logLevel: settings.LOG_LEVEL, stopDeadline }, async (context) => {
    await startWebhooks(settings, context);
  });
});
