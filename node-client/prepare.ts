import { join } from "node:path";
import { type ChainClient, createChainClient, requireChain } from "@ngpu/chain-reader/client";
import { requireHead } from "@ngpu/chain-reader/requireHead";
import { requireHistory } from "@ngpu/chain-reader/requireHistory";
import { addressesOf } from "@ngpu/contracts-sdk/generations";
import { FatalError, NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { PrivateKeyAccount } from "viem/accounts";
import { type Engine, engineFacts, openEngine } from "./docker/engine.ts";
import type { NodeEnv } from "./env.ts";
import { openIdentity } from "./identity.ts";
import { keptBlocksOf } from "./journal/chain.ts";
import { type Journal, openJournalOf, readFact } from "./journal/open.ts";
import { loadNetwork, type Network } from "./network.ts";
import { type Hardware, probeHardware } from "./probe/hardware.ts";

/** The checked prerequisites of a node. */
export type Prepared = {
  account: PrivateKeyAccount;
  network: Network;
  journal: Journal;
  engine: Engine;
  /** Directory of the engine's data. */
  dataDir: string;
  hardware: Hardware;
  client: ChainClient;
};

/**
 * Checks the prerequisites of the node before anything starts.
 *
 * @throws NgpuError when the API, the engine, the GPUs, the chain or the journal cannot be used.
 */
export async function prepareNode(env: NodeEnv, logger: Logger): Promise<Prepared> {
  const account = openIdentity(env.NODE_DIR, "node");
  const network = await loadNetwork({ api: env.NGPU_API, dir: env.NODE_DIR, logger });
  const { deployment } = network;
  const engine = openEngine({
    socket: env.NODE_DOCKER_SOCKET,
    market: deployment.contracts.ComputeNode.slice(2, 10).toLowerCase(),
    node: account.address,
  });
  const { dataDir, hasNvidia } = await engineFacts(engine.docker);
  const hardware = await probeHardware(dataDir, env);
  for (const gpu of hardware.sickGpus) logger.warn({ event: "gpu_sick", ...gpu });
  if (hardware.gpus.some((gpu) => gpu.devices === undefined) && !hasNvidia)
    logger.warn({ event: "engine_without_nvidia_runtime" });
  const client = createChainClient({ rpcUrls: network.rpcUrls, chainId: deployment.chainId });
  const journal = openJournal(env, network, logger);
  requireDriverOnFirstStart(hardware, journal);
  await requireChainOnFirstStart(client, network, journal, logger);
  return { account, network, journal, engine, dataDir, hardware, client };
}

/**
 * Requires the GPU driver before the node is registered, because a registration limits later offers to its cards.
 *
 * @throws FatalError `gpu_probe_failed`.
 */
function requireDriverOnFirstStart({ sickGpus }: Hardware, journal: Journal): void {
  const failed = sickGpus.find((gpu) => gpu.code === "gpu_driver_failed");
  if (failed === undefined || readFact(journal, "node_id") !== undefined) return;
  throw new FatalError(`${failed.id} failed: ${failed.detail}`, {
    code: "gpu_probe_failed",
    hint: "Repair the GPU driver, or set NODE_LIMIT_GPUS=0 to join without GPUs.",
  });
}

/** Opens the journal of this market. */
function openJournal(env: NodeEnv, { deployment }: Network, logger: Logger): Journal {
  const market = `${deployment.chainId}/${deployment.contracts.ComputeNode.toLowerCase()}`;
  return openJournalOf(join(env.NODE_DIR, "journal.sqlite"), market, (to) =>
    logger.warn({ event: "journal_of_another_market", movedTo: to }),
  );
}

/** Errors of a chain that cannot be followed at this time. */
const withoutHead = new Set(["chain_unreachable", "rpc_head_missing", "rpc_head_stale"]);

/** Requires the chain unless the journal has blocks of it: a restarted node must supervise its containers in any case. */
async function requireChainOnFirstStart(
  client: ChainClient,
  { deployment }: Network,
  journal: Journal,
  logger: Logger,
): Promise<void> {
  const isKnown = keptBlocksOf(journal).length > 0;
  try {
    await requireChain(client, deployment);
    await requireHead(client, isKnown ? { within: 0 } : {});
    // Workspaces are read from the block in which they were published, which may be any since the deployment.
    const filter = { addresses: addressesOf(deployment, "DockerContract") };
    if (!isKnown) await requireHistory(client, filter, deployment.startBlock);
  } catch (error) {
    const isUnreachable = error instanceof NgpuError && withoutHead.has(error.code);
    if (!isUnreachable || !isKnown) throw error;
    logger.warn({ event: "chain_unreachable", error });
  }
}
