import { type ChainClient, createChainClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { chainChannel, listenForChanges } from "@ngpu/db/listen";
import { openPool } from "@ngpu/db/open";
import type { Database } from "@ngpu/db/pool";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, type ServiceContext, start } from "@ngpu/runtime/lifecycle";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender, type Sender } from "@ngpu/tx-sender/send";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { readPomcEnv, requireKey } from "./env.ts";
import { leadPomc } from "./leading.ts";

type PomcEnv = ReturnType<typeof readPomcEnv>;

await start(async () => {
  const env = readPomcEnv();
  requireKey(env);
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  await runService({ name: "pomc", logLevel: env.LOG_LEVEL }, (context) => main(context, env, deployment));
});

async function main(context: ServiceContext, env: PomcEnv, deployment: Deployment): Promise<void> {
  const { logger, signal } = context;
  const { DATABASE_URL: databaseUrl } = env;
  const pool = await openPool(context, { url: databaseUrl, name: "pomc" });
  const client = createChainClient({ rpcUrls: env.CHAIN_RPC_URLS, chainId: deployment.chainId });
  await requireChain(client, deployment);
  const registry = createRegistry("pomc");
  const senders = await sendersOf(env, { pool, client, deployment, logger, signal });
  const led = leadPomc({ databaseUrl, pool, ...senders, deployment, registry, logger, signal });
  listenForChanges({ url: databaseUrl, channels: [chainChannel], logger, signal, onNotice: led.wake });
  context.onStop("leadership", () => led.done);
  const app = createApp({ registry, health: () => ({ ok: true }) });
  await listen(app, { host: env.HOST, port: env.PORT }, context);
}

type SenderDeps = { pool: Database; client: ChainClient; deployment: Deployment } & Pick<
  ServiceContext,
  "logger" | "signal"
>;

/** A sender for each key that this process has. */
async function sendersOf(
  env: PomcEnv,
  deps: SenderDeps,
): Promise<{ epochSender: Sender | undefined; receiptSender: Sender | undefined }> {
  const senderOf = (key: Hex | undefined) =>
    key === undefined ? undefined : createSender({ ...deps, account: privateKeyToAccount(key) });
  const [epochSender, receiptSender] = await Promise.all(
    [env.POSTER_KEY, env.RECEIPTS_POSTER_KEY].map((key) => senderOf(key)),
  );
  return { epochSender, receiptSender };
}
