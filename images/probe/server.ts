import { runUntilSignal } from "../shared/serve.ts";
import { probeHandler } from "./app.ts";
import { removeLeftovers } from "./disk.ts";
import { probeConfig } from "./env.ts";

await runUntilSignal("probe", async () => {
  const config = probeConfig(process.env);
  await removeLeftovers(config.dataDir);
  return { port: config.port, handler: probeHandler(config) };
});
