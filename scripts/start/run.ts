import { createPool } from "../../services/shared/db/pool.ts";
import { FatalError } from "../../services/shared/errors.ts";
import { removeContainers } from "./containers.ts";
import { deployContracts, fundSenders } from "./contracts.ts";
import { prepareDatabase } from "./database.ts";
import type { StartEnv } from "./env.ts";
import { buildImages } from "./images.ts";
import { type Journey, walk } from "./journey/index.ts";
import { loadKeys } from "./keys.ts";
import type { Market } from "./market.ts";
import type { StartOptions } from "./options.ts";
import { startParts } from "./parts.ts";
import type { Reporter } from "./reporter.ts";
import { type Addresses, addressesOf, choosePorts, startServices } from "./services.ts";

export type RunContext = {
  rootDir: string;
  options: StartOptions;
  env: StartEnv;
  reporter: Reporter;
  signal: AbortSignal;
  onStop: Market["onStop"];
  onExit: Market["onExit"];
};

/** Brings the whole market up and walks the journey; what is started is registered with `onStop`. */
export async function runMarket(context: RunContext): Promise<Journey & { addresses: Addresses }> {
  const { rootDir, options, env, reporter, signal, onStop } = context;
  const { stateDir } = options;
  if (env.CHAIN_RPC_URLS !== undefined && env.DEPLOYER_KEY === undefined) {
    throw new FatalError("CHAIN_RPC_URLS is set, DEPLOYER_KEY is not.", {
      code: "env_invalid",
      hint: "Set DEPLOYER_KEY to an account with ETH on that chain, or unset CHAIN_RPC_URLS for the embedded chain.",
    });
  }
  const parts = await startParts({ ...options, rootDir }, env, reporter, signal, onStop);
  const keys = loadKeys(stateDir, parts.chain.embedded ? undefined : env.DEPLOYER_KEY);
  const ports = await choosePorts(options);
  const addresses = addressesOf(ports, options.host);

  const [deployed, images, prepared] = await allOrNothing([
    reporter.step(
      "contracts",
      "Contracts deployed (Hardhat Ignition)",
      async (progress) => {
        await fundSenders(parts.chain, keys);
        return deployContracts({ rootDir, stateDir, keys, chain: parts.chain }, progress);
      },
      ({ deployment }) =>
        `${Object.keys(deployment.contracts).length} contracts on chain ${deployment.chainId}`,
    ),
    reporter.step(
      "images",
      "Workspace images built",
      (progress) => buildImages({ rootDir, stateDir, registry: addresses.registry, signal, progress }),
      (built) => `chat ${megabytes(built.chat.sizeBytes)}, probe ${megabytes(built.probe.sizeBytes)}`,
    ),
    reporter.step(
      "database",
      "Database schema and roles",
      () => prepareDatabase({ ...parts.postgres, afresh: parts.chain.embedded }),
      ({ begunAnew }) => (begunAnew ? "begun anew, because the embedded chain starts afresh" : ""),
    ),
  ]);

  const database = createPool({ url: prepared.urls.admin, name: "ngpu-start", max: 4 });
  onStop("database", () => database.end());
  const market: Market = {
    ...{ rootDir, stateDir, options, reporter, signal, keys, database, onStop },
    onExit: context.onExit,
    chain: parts.chain,
    adminUrl: prepared.urls.admin,
    redisUrl: parts.redis.url,
    dockerSocket: parts.docker.socketPath,
    deployment: deployed.deployment,
    deploymentFile: deployed.file,
    logLevel: env.LOG_LEVEL,
  };
  const leftover = await removeContainers(market.dockerSocket, market.deployment);
  if (leftover > 0) reporter.say(`Removed ${leftover} containers that a killed run had left.`);
  onStop("containers", async () => {
    await removeContainers(market.dockerSocket, market.deployment);
  });
  await reporter.step(
    "services",
    "Services, each its own process",
    () =>
      startServices(market, {
        ports,
        addresses,
        databases: prepared.urls.services,
        probeImage: `${images.probe.reference}@${images.probe.digest}`,
      }),
    () => Object.keys(ports).join(", "),
  );
  return { ...(await walk(market, addresses, images)), addresses };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** Like Promise.all, but waits for all to end before it throws, so that nothing goes on behind a failure. */
async function allOrNothing<Work extends readonly Promise<unknown>[]>(
  work: readonly [...Work],
): Promise<{ [Index in keyof Work]: Awaited<Work[Index]> }> {
  await Promise.allSettled(work);
  return (await Promise.all(work)) as { [Index in keyof Work]: Awaited<Work[Index]> };
}
