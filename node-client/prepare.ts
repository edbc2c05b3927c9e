import { join } from "node:path";
import { type ChainClient, createChainClient, requireChain } from "@ngpu/chain-reader/client";
import { NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { PrivateKeyAccount } from "viem/accounts";
import { type Engine, engineFacts, openEngine } from "./docker/engine.ts";
import type { NodeEnv } from "./env.ts";
import { openIdentity } from "./identity.ts";
import { keptBlocksOf } from "./journal/chain.ts";
import { type Journal, openJournalOf } from "./journal/open.ts";
import { learnNetwork, type Network } from "./network.ts";
import { type Hardware, probeHardware } from "./probe/hardware.ts";

/** What a node runs with, found out and checked before anything of it starts. */
export type Prepared = {
  account: PrivateKeyAccount;
  network: Network;
  journal: Journal;
  engine: Engine;
  /** Where the engine stores its data. */
  dataDir: string;
  hardware: Hardware;
  client: ChainClient;
};

/**
 * Looks at everything that the node stands on.
 *
 * @throws NgpuError with one clear message: the API, the engine, the GPUs, the chain or the journal cannot be used.
 */
export async function prepareNode(env: NodeEnv, logger: Logger): Promise<Prepared> {
  const account = openIdentity(env.NODE_DIR, "node");
  const network = await learnNetwork({ api: env.NGPU_API, dir: env.NODE_DIR, logger });
  const { deployment } = network;
  const engine = openEngine({
    socket: env.NODE_DOCKER_SOCKET,
    market: deployment.contracts.ComputeNode.slice(2, 10).toLowerCase(),
    node: account.address,
  });
  const { dataDir, hasNvidia } = await engineFacts(engine.docker);
  const hardware = await probeHardware(dataDir, env);
  if (hardware.gpus.length > 0 && !hasNvidia) logger.warn({ event: "engine_without_nvidia_runtime" });
  const client = createChainClient({ rpcUrls: network.rpcUrls, chainId: deployment.chainId });
  const journal = openJournal(env, network, logger);
  await requireChainUnlessKnown(client, network, journal, logger);
  return { account, network, journal, engine, dataDir, hardware, client };
}

/** The journal of this market, alone. */
function openJournal(env: NodeEnv, { deployment }: Network, logger: Logger): Journal {
  const market = `${deployment.chainId}/${deployment.contracts.ComputeNode.toLowerCase()}`;
  return openJournalOf(join(env.NODE_DIR, "journal.sqlite"), market, (to) =>
    logger.warn({ event: "journal_of_another_market", movedTo: to }),
  );
}

/** A node that knows the chain already starts without it: what runs here must be watched all the more. */
async function requireChainUnlessKnown(
  client: ChainClient,
  { deployment }: Network,
  journal: Journal,
  logger: Logger,
): Promise<void> {
  try {
    await requireChain(client, deployment);
  } catch (error) {
    const isUnreachable = error instanceof NgpuError && error.code === "chain_unreachable";
    if (!isUnreachable || keptBlocksOf(journal).length === 0) throw error;
    logger.warn({ event: "chain_unreachable", error });
  }
}
