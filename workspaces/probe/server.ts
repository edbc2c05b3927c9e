import { runUntilSignal } from "../shared/serve.ts";
import { probeHandler } from "./app.ts";
import { removeLeftovers } from "./disk.ts";
import { probeConfig } from "./env.ts";

const config = probeConfig(process.env);
await removeLeftovers(config.dataDir);
await runUntilSignal("probe", probeHandler(config), config.port);
