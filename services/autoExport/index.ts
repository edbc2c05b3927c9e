import { createFollowClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import { requireHead } from "@ngpu/chain-reader/requireHead";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { createPool } from "@ngpu/db/pool";
import { requireMigrations } from "@ngpu/db/schema";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, start } from "@ngpu/runtime/lifecycle";
import { createRegistry } from "@ngpu/runtime/metrics";
import { evaluateHealth } from "./decide.ts";
import { loadDefinitions } from "./definitions.ts";
import { readAutoExportEnv } from "./env.ts";
import { exportChain } from "./exportLeader.ts";
import { createWatch, watchEndpoints } from "./metrics.ts";

/** @deadline Postgres to store a batch of blocks, which is several statements. Another instance takes over, or this one again. */
const batchDeadline = 120_000;

await start(async () => {
  const env = readAutoExportEnv();
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  const definitions = loadDefinitions();
  await runService({ name: "autoExport", logLevel: env.LOG_LEVEL }, async (context) => {
    const { logger, signal } = context;
    const pool = createPool({
      url: env.DATABASE_URL,
      name: "autoExport",
      max: 2,
      deadlines: { answer: batchDeadline },
    });
    context.onStop("postgres", () => pool.end());
    await requireMigrations(pool);
    const registry = createRegistry("autoExport");
    const watch = createWatch(registry);
    const client = createFollowClient({
      rpcUrls: env.CHAIN_RPC_URLS,
      wsUrls: env.CHAIN_WS_URLS,
      chainId: deployment.chainId,
      logger,
      signal,
      onError: watch.recordEndpointError,
    });
    watchEndpoints(registry, client.states);
    await requireChain(client, deployment);
    await requireHead(client);
    const health = () =>
      evaluateHealth({ ...watch.facts(), now: Date.now() / 1_000, blockSeconds: env.BLOCK_SECONDS });
    await listen(createApp({ registry, health }), { host: env.HOST, port: env.PORT }, context);
    const ended = exportChain({
      pool,
      client,
      deployment,
      definitions,
      watch,
      logger,
      signal,
      audit: { blocks: env.AUDIT_BLOCKS_PER_SECOND },
    }).catch(context.fail);
    context.onStop("export", () => ended);
  });
});
