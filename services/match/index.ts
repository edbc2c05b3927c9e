import { createServer } from "node:http";
import { createChainClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { appChannel, chainChannel, listenForChanges } from "@ngpu/db/listen";
import { openPool, openRedis } from "@ngpu/db/open";
import { FatalError } from "@ngpu/runtime/errors";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, type ServiceContext, start } from "@ngpu/runtime/lifecycle";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender, type Sender } from "@ngpu/tx-sender/send";
import { privateKeyToAccount } from "viem/accounts";
import { type MatchEnv, readMatchEnv } from "./env.ts";
import { type Match, type MatchOptions, startMatch } from "./match.ts";
import { serveExplain } from "./scheduling/explainRoute.ts";
import { createFleetSync } from "./scheduling/fleetSync.ts";

await start(async () => {
  const env = readMatchEnv();
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  await runService({ name: "match", logLevel: env.LOG_LEVEL }, (context) => main(context, env, deployment));
});

async function main(context: ServiceContext, env: MatchEnv, deployment: Deployment): Promise<void> {
  requireKeys(env);
  const { logger, signal } = context;
  const stores = await openStores(context, env, deployment);
  const { pool, redis, client } = stores;
  const senders = await openSenders(context, env, deployment, stores);
  const registry = createRegistry("match");
  // The server listens before sessions are served; until then /v1/session gets the status 404.
  let match: Match | undefined;
  const fleetNow = createFleetSync(pool, deployment.parameters.waves);
  const app = createApp({ health: () => healthOf(stores, env.INSTANCE, match), registry });
  serveExplain(app, fleetNow, logger);
  const server = createServer(app);
  // Registered before the sessions: on shutdown, the sessions close first.
  const { url } = await listen(server, { host: env.HOST, port: env.PORT }, context);
  match = await startMatch({
    context,
    env,
    deployment,
    pool,
    redis,
    senders,
    client,
    registry,
    server,
    fleetNow,
  });
  listenForChanges({
    url: env.DATABASE_URL,
    channels: [chainChannel, appChannel],
    logger,
    signal,
    onNotice: match.notice,
  });
  logger.info({ event: "match_listening", url, instance: env.INSTANCE, accounts: addressesOf(senders) });
}

/** @throws FatalError `match_keys_missing` */
function requireKeys(env: MatchEnv): void {
  const { RELAYER_KEY, ACKNOWLEDGER_KEY, COMMITTER_KEY, KEEPER_KEY, WITNESS_KEY, COSIGNER_KEY } = env;
  const serves = RELAYER_KEY !== undefined && ACKNOWLEDGER_KEY !== undefined;
  const isComplete = serves || (RELAYER_KEY === undefined && ACKNOWLEDGER_KEY === undefined);
  const power = COMMITTER_KEY ?? KEEPER_KEY ?? WITNESS_KEY ?? COSIGNER_KEY ?? env.MEASURE_KEEPER_KEY;
  if (isComplete && (serves || power !== undefined)) return;
  throw new FatalError("The environment has no complete set of keys of a part of match.", {
    code: "match_keys_missing",
    hint: "Set RELAYER_KEY with ACKNOWLEDGER_KEY, or one of COMMITTER_KEY, KEEPER_KEY, WITNESS_KEY, COSIGNER_KEY and MEASURE_KEEPER_KEY.",
  });
}

/** One sender for each account: a key that two variables name has one order of transactions. */
async function openSenders(
  { logger, signal }: ServiceContext,
  env: MatchEnv,
  deployment: Deployment,
  { pool, client }: Stores,
): Promise<MatchOptions["senders"]> {
  const open = new Map<string, Promise<Sender>>();
  const senderOf = (key: MatchEnv["RELAYER_KEY"]) => {
    if (key === undefined) return undefined;
    const account = privateKeyToAccount(key);
    const sender = open.get(key) ?? createSender({ pool, client, account, deployment, logger, signal });
    open.set(key, sender);
    return sender;
  };
  return {
    relayer: await senderOf(env.RELAYER_KEY),
    committer: await senderOf(env.COMMITTER_KEY),
    keeper: await senderOf(env.KEEPER_KEY),
    measureKeeper: await senderOf(env.MEASURE_KEEPER_KEY),
  };
}

function addressesOf(senders: MatchOptions["senders"]) {
  return Object.fromEntries(Object.entries(senders).map(([name, sender]) => [name, sender?.address]));
}

type Stores = Pick<MatchOptions, "pool" | "redis" | "client">;

async function openStores(context: ServiceContext, env: MatchEnv, deployment: Deployment): Promise<Stores> {
  const client = createChainClient({ rpcUrls: env.CHAIN_RPC_URLS, chainId: deployment.chainId });
  await requireChain(client, deployment);
  const pool = await openPool(context, { url: env.DATABASE_URL, name: "match", max: 20 });
  const redis = await openRedis(context, env.REDIS_URL);
  redis.on("error", (error) => context.logger.warn({ event: "redis_error", error }));
  return { pool, redis, client };
}

async function healthOf({ pool, redis }: Stores, instance: string, match: Match | undefined) {
  await pool.query("select 1");
  return {
    ok: match !== undefined && redis.status === "ready",
    details: { redis: redis.status, instance, outageSuspected: match?.outage() ?? null },
  };
}
