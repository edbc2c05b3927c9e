import { createChainClient, requireChain } from "@ngpu/chain-reader/client";
import { readDeployment } from "@ngpu/contracts-sdk/deployment";
import { holdLeadership } from "@ngpu/db/leader";
import { chainChannel, listenForChanges } from "@ngpu/db/listen";
import { createPool } from "@ngpu/db/pool";
import { requireSchema } from "@ngpu/db/schema";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, start } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender } from "@ngpu/tx-sender/send";
import { privateKeyToAccount } from "viem/accounts";
import { closeEpochs } from "./close.ts";
import { bondTermsOf, readPomcEnv } from "./env.ts";
import { createPomcMetrics } from "./metrics.ts";
import { postEpoch, watchFormer } from "./post.ts";
import { receiptRound } from "./receipts/commit.ts";
import { uptimeRound } from "./uptime/round.ts";

await start(async () => {
  const env = readPomcEnv();
  const terms = bondTermsOf(env);
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  await runService({ name: "pomc", logLevel: env.LOG_LEVEL }, async (context) => {
    const { logger, signal } = context;
    const pool = createPool({ url: env.DATABASE_URL, name: "pomc" });
    context.onStop("postgres", () => pool.end());
    await requireSchema(pool);
    const client = createChainClient({ rpcUrls: env.CHAIN_RPC_URLS, chainId: deployment.chainId });
    await requireChain(client, deployment);
    const account = privateKeyToAccount(env.SIGNER_KEY);
    const sender = await createSender({ pool, client, account, deployment, logger, signal });

    const registry = createRegistry("pomc");
    const { posted, owed, leading } = createPomcMetrics(registry);
    let loop: Loop | undefined;
    listenForChanges({
      url: env.DATABASE_URL,
      channels: [chainChannel],
      logger,
      signal,
      onNotice: () => loop?.wake(),
    });
    const led = holdLeadership({
      url: env.DATABASE_URL,
      leadership: "pomc",
      logger,
      signal,
      lead: async (leaderSignal) => {
        leading.set(1);
        const told = { owed: 0n };
        loop = startLoop({ name: "epochs", logger, signal: leaderSignal, interval: 2_000 }, async () => {
          await closeEpochs({ database: pool, deployment, terms, logger, signal: leaderSignal });
          const number = await postEpoch({ pool, sender, deployment, logger });
          if (number !== undefined) posted.set(number);
          await watchFormer({ pool, deployment, logger, gauge: owed, told });
        });
        const every = deployment.parameters.epochSeconds;
        const receipts = startLoop(
          { name: "receipts", logger, signal: leaderSignal, interval: 2_000 },
          receiptRound({ pool, sender, deployment, logger, every, patience: 2 * every }),
        );
        const uptime = startLoop({ name: "uptime", logger, signal: leaderSignal, interval: 2_000 }, () =>
          uptimeRound({ pool, sender, deployment, logger }),
        );
        await Promise.all([loop.done, receipts.done, uptime.done]);
        leading.set(0);
      },
    });
    context.onStop("leadership", () => led);
    await listen(
      createApp({ registry, health: () => ({ ok: true }) }),
      { host: env.HOST, port: env.PORT },
      context,
    );
  });
});
