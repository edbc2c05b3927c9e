import { runService, start } from "@ngpu/runtime/lifecycle";
import { readWorkspaceEnv } from "./env.ts";
import { startWorkspace } from "./workspace.ts";

await start(async () => {
  const settings = readWorkspaceEnv();
  await runService({ name: "workspace", logLevel: settings.LOG_LEVEL }, async (context) => {
    await startWorkspace(settings, context);
  });
});
