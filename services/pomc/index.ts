import { createChainClient, requireChain } from "@ngpu/chain-reader/client";
import { type Deployment, readDeployment } from "@ngpu/contracts-sdk/deployment";
import { chainChannel, listenForChanges } from "@ngpu/db/listen";
import { openPool } from "@ngpu/db/open";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, type ServiceContext, start } from "@ngpu/runtime/lifecycle";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender } from "@ngpu/tx-sender/send";
import { privateKeyToAccount } from "viem/accounts";
import { bondTermsOf, readPomcEnv } from "./env.ts";
import { leadPomc } from "./leading.ts";

type PomcEnv = ReturnType<typeof readPomcEnv>;

await start(async () => {
  const env = readPomcEnv();
  const terms = bondTermsOf(env);
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  await runService({ name: "pomc", logLevel: env.LOG_LEVEL }, (context) =>
    main(context, env, { deployment, terms }),
  );
});

async function main(
  context: ServiceContext,
  env: PomcEnv,
  { deployment, terms }: { deployment: Deployment; terms: ReturnType<typeof bondTermsOf> },
): Promise<void> {
  const { logger, signal } = context;
  const { DATABASE_URL: databaseUrl } = env;
  const pool = await openPool(context, { url: databaseUrl, name: "pomc" });
  const client = createChainClient({ rpcUrls: env.CHAIN_RPC_URLS, chainId: deployment.chainId });
  await requireChain(client, deployment);
  const account = privateKeyToAccount(env.SIGNER_KEY);
  const sender = await createSender({ pool, client, account, deployment, logger, signal });
  const registry = createRegistry("pomc");
  const led = leadPomc({ databaseUrl, pool, sender, deployment, terms, registry, logger, signal });
  listenForChanges({ url: databaseUrl, channels: [chainChannel], logger, signal, onNotice: led.wake });
  context.onStop("leadership", () => led.done);
  const app = createApp({ registry, health: () => ({ ok: true }) });
  await listen(app, { host: env.HOST, port: env.PORT }, context);
}
