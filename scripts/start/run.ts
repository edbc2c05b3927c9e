import { join } from "node:path";
import { createPool } from "@ngpu/db/pool";
import { allOrNothing, runConcurrently } from "./allOrNothing.ts";
import { forgetImages, removeContainers } from "./containers.ts";
import { type Journey, runJourney, type UsableMarket } from "./journey/index.ts";
import { loadKeys } from "./keys.ts";
import type { Market } from "./market.ts";
import { type Addresses, addressesOf, choosePorts, type Ports, reservePorts } from "./ports.ts";
import { type Prepared, prepareMarket } from "./prepare.ts";
import { releaseClient } from "./releases.ts";
import { startConfigService, startServices } from "./services.ts";
import type { StartContext } from "./startContext.ts";
import { fundGuests, type Guest } from "./tokens.ts";

export type RunContext = StartContext & {
  /** Called as soon as partners can use the market; the journey continues meanwhile. */
  onUp?: (up: Up) => void;
};

/** Facts of a market that is up. */
export type Up = UsableMarket & { addresses: Addresses; guest: Guest | undefined };

/** Starts the whole market and runs the journey. Everything that is started is registered with `onStop`. */
export async function runMarket(
  context: RunContext,
): Promise<Journey & { addresses: Addresses; dockerSocket: string }> {
  const { rootDir, options, env, reporter, signal, onStop } = context;
  const { ports, releasePorts } = await reporter.check("ports", async () => {
    const chosen = await choosePorts(options);
    return { ports: chosen, releasePorts: await reservePorts(chosen, options.host) };
  });
  onStop("ports", releasePorts);
  const addresses = addressesOf(ports, options.host);
  const { keys, databaseSecret, webhookKey, secretKey } = await reporter.check("keys", async () =>
    loadKeys(options.stateDir, env.CHAIN_RPC_URLS === undefined ? undefined : env.DEPLOYER_KEY),
  );
  const prepared = await prepareMarket({ ...context, keys, databaseSecret, addresses });
  const database = createPool({ url: prepared.urls.admin, name: "ngpu-start", max: 4 });
  onStop("database", () => database.end());
  const market = marketOf(context, { keys, webhookKey, secretKey, prepared, database });
  await reporter.check("containers", () => removeStaleContainers(market, addresses));
  await releasePorts();
  const [, guest] = await allOrNothing([
    startMarket(market, { ports, addresses, prepared }),
    reporter.check("guests", () => fundGuests(market)),
  ]);
  const [journey] = await runConcurrently(signal, (own) => {
    // Operators need it and no service does, so it is written while the journey waits.
    const released = reporter.check("client", async () => {
      await releaseClient({ rootDir, stateDir: options.stateDir, signal: own });
      await startConfigService({ ...market, signal: own }, ports.config);
    });
    const onUsable = (usable: UsableMarket) => {
      const up = () => context.onUp?.({ ...usable, addresses, guest });
      // A failure ends the journey.
      void released.then(up, () => undefined);
    };
    return [
      runJourney({ ...market, signal: own }, { addresses, images: prepared.images, onUsable }),
      released,
    ] as const;
  });
  return { ...journey, addresses, dockerSocket: market.dockerSocket };
}

function marketOf(
  { rootDir, options, env, reporter, signal, supervision, onStop }: RunContext,
  made: Pick<Market, "keys" | "webhookKey" | "secretKey" | "database"> & { prepared: Prepared },
): Market {
  const { prepared, ...own } = made;
  const { parts } = prepared;
  return {
    ...own,
    rootDir,
    options,
    reporter,
    signal,
    supervision,
    onStop,
    stateDir: options.stateDir,
    logsDir: join(options.stateDir, "logs"),
    chain: parts.chain,
    redisUrl: parts.redis.url,
    dockerSocket: parts.docker.socketPath,
    deployment: prepared.deployment,
    deploymentFile: prepared.file,
    logLevel: env.LOG_LEVEL,
  };
}

/** Removes the containers of a killed run, and registers the removal of this run's containers. */
async function removeStaleContainers(market: Market, { registry }: Addresses): Promise<void> {
  const { dockerSocket, deployment, reporter } = market;
  const leftover = await removeContainers(dockerSocket, deployment);
  if (leftover > 0) {
    reporter.print(
      `Removed ${leftover} ${leftover === 1 ? "container" : "containers"} left over from a killed run.`,
    );
  }
  market.onStop("containers", async () => {
    await removeContainers(dockerSocket, deployment);
    await forgetImages(dockerSocket, registry);
  });
}

async function startMarket(
  market: Market,
  given: { ports: Ports; addresses: Addresses; prepared: Prepared },
): Promise<void> {
  const { ports, addresses, prepared } = given;
  const { probe } = prepared.images;
  await market.reporter.step(
    "services",
    "Services started",
    (progress) =>
      startServices(market, progress, {
        ports,
        addresses,
        databases: prepared.urls.services,
        probeImage: `${probe.reference}@${probe.digest}`,
      }),
    () => Object.keys(ports).join(", "),
  );
}
