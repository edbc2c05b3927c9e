import { runService, start } from "@ngpu/runtime/lifecycle";
import { readGatewayEnv } from "./env.ts";
import { startGateway } from "./gateway.ts";

await start(async () => {
  const env = readGatewayEnv();
  await runService({ name: "gateway", logLevel: env.LOG_LEVEL }, async (context) => {
    await startGateway(context, env);
  });
});
