import { EMBEDDED_CHAIN_ID } from "../embedded/chain.ts";
import { runConcurrently } from "./allOrNothing.ts";
import { deployContracts } from "./contracts.ts";
import { prepareDatabase } from "./database.ts";
import { type Parts, startParts } from "./embeddedParts.ts";
import { buildImages } from "./images.ts";
import type { Keys } from "./keys.ts";
import type { Market, MarketImages } from "./market.ts";
import type { Addresses } from "./ports.ts";
import type { StartContext } from "./startContext.ts";

/** Everything that the services need. */
export type Prepared = Awaited<ReturnType<typeof prepareDatabase>> &
  Awaited<ReturnType<typeof deployContracts>> & { parts: Parts; images: MarketImages };

type Context = StartContext & { keys: Keys; databaseSecret: string; addresses: Addresses };

/**
 * Starts the parts and prepares contracts, images and database. Each begins as soon as what it needs is ready. A failure
 * cancels the others.
 */
export async function prepareMarket(context: Context): Promise<Prepared> {
  const [chain, postgres, redis, docker, deployed, images, database] = await runConcurrently(
    context.signal,
    (signal) => {
      const own = { ...context, signal };
      const parts = startParts({ ...own, options: { ...context.options, rootDir: context.rootDir } });
      return [
        parts.chain,
        parts.postgres,
        parts.redis,
        parts.docker,
        parts.chain.then((chain) => contractsStep(own, chain)),
        imagesStep(own),
        Promise.all([parts.postgres, storedChain(own, parts.chain)]).then((ready) =>
          databaseStep(own, ...ready),
        ),
      ] as const;
    },
  );
  return { ...deployed, ...database, images, parts: { chain, postgres, redis, docker } };
}

/** The chain that the database stores. It is known before an embedded chain responds. */
async function storedChain(
  { env }: Context,
  chain: Promise<Market["chain"]>,
): Promise<Pick<Market["chain"], "chainId" | "embedded">> {
  return env.CHAIN_RPC_URLS === undefined ? { chainId: EMBEDDED_CHAIN_ID, embedded: true } : chain;
}

function contractsStep({ rootDir, options, reporter, keys, signal }: Context, chain: Market["chain"]) {
  const { stateDir } = options;
  return reporter.step(
    "contracts",
    "Contracts deployed",
    (progress) => deployContracts({ rootDir, stateDir, options, keys, chain, signal }, progress),
    ({ deployment }) =>
      `${Object.keys(deployment.contracts).length} contracts on chain ${deployment.chainId}`,
  );
}

function imagesStep({ rootDir, options, reporter, addresses, signal }: Context) {
  const { registry } = addresses;
  return reporter.step(
    "images",
    "Workspace images built",
    (progress) => buildImages({ rootDir, stateDir: options.stateDir, registry, signal, progress }),
    (built) => `chat ${megabytes(built.chat.sizeBytes)}, probe ${megabytes(built.probe.sizeBytes)}`,
  );
}

function databaseStep(
  { options, reporter, databaseSecret }: Context,
  postgres: Parts["postgres"],
  chain: Parameters<typeof prepareDatabase>[0]["chain"],
) {
  return reporter.step(
    "database",
    "Database schema and roles",
    () => prepareDatabase({ postgres, chain, stateDir: options.stateDir, secret: databaseSecret }),
    ({ recreated }) => (recreated ? "recreated, because the embedded chain was restarted" : ""),
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
