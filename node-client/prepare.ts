import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ChainClient, createChainClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import { requireHead } from "@ngpu/chain-reader/requireHead";
import { requireHistory } from "@ngpu/chain-reader/requireHistory";
import { addressesOf } from "@ngpu/contracts-sdk/generations";
import type { ClientConfig } from "@ngpu/protocol/updates";
import { FatalError, NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { type Engine, engineFacts, openEngine } from "./docker/engine.ts";
import { type NodeEnv, nodeKeyPlace } from "./env.ts";
import { keptBlocksOf } from "./journal/chain.ts";
import { type Journal, openJournalOf, readFact } from "./journal/open.ts";
import { createSecret } from "./keys/files.ts";
import { openIdentity } from "./keys/identity.ts";
import { adoptNextKey } from "./keys/rotation.ts";
import { loadNetwork, type Network } from "./network.ts";
import { type Hardware, probeHardware } from "./probe/hardware.ts";
import { nodeIdOf } from "./registration.ts";
import { applyEndpoints } from "./updates/applyConfig.ts";
import { readClientConfig, type UpdatePlace, updatePlace } from "./updates/place.ts";

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
  /** Undefined: no launcher started the client, which is not updated. */
  updatePlace: UpdatePlace | undefined;
  clientConfig: ClientConfig;
};

/**
 * Checks the prerequisites of the node before anything starts.
 *
 * @throws NgpuError when the API, the engine, the GPUs, the chain or the journal cannot be used.
 */
export async function prepareNode(env: NodeEnv, logger: Logger): Promise<Prepared> {
  const first = await openIdentity(nodeKeyPlace(env));
  const network = await loadNetwork({ api: env.NGPU_API, dir: env.NODE_DIR, logger });
  const place = updatePlace();
  const clientConfig = readClientConfig(place);
  applyEndpoints(network, clientConfig);
  const { deployment } = network;
  const client = createChainClient({ rpcUrls: network.rpcUrls, chainId: deployment.chainId });
  const account = (await adoptRegisteredKey(env, { client, network, logger })) ?? first;
  const journal = openJournal(env, network, logger);
  const engine = openEngine({
    socket: env.NODE_DOCKER_SOCKET,
    market: deployment.contracts.ComputeNode.slice(2, 10).toLowerCase(),
    node: containerOwner(env.NODE_DIR, account.address),
  });
  const { dataDir, hasNvidia } = await engineFacts(engine.docker);
  const hardware = await probeHardware(dataDir, env);
  for (const gpu of hardware.sickGpus) logger.warn({ event: "gpu_sick", ...gpu });
  if (hardware.gpus.some((gpu) => gpu.devices === undefined) && !hasNvidia)
    logger.warn({ event: "engine_without_nvidia_runtime" });
  requireDriverOnFirstStart(hardware, journal);
  await requireChainOnFirstStart(client, network, journal, logger);
  return { account, network, journal, engine, dataDir, hardware, client, updatePlace: place, clientConfig };
}

/** Puts a key in place that the node's wallet has accepted since the last start. Undefined: the present one stays. */
async function adoptRegisteredKey(
  env: NodeEnv,
  { client, network, logger }: Pick<Prepared, "client" | "network"> & { logger: Logger },
): Promise<PrivateKeyAccount | undefined> {
  const place = nodeKeyPlace(env);
  const isRegistered = async (address: Hex) => {
    try {
      return (await nodeIdOf({ client, deployment: network.deployment, account: { address } })) !== 0;
    } catch (error) {
      // The chain cannot be read: the client starts with the present key, and reads again while it runs.
      logger.warn({ event: "next_key_unchecked", error });
      return false;
    }
  };
  const address = await adoptNextKey(place, isRegistered);
  if (address === undefined) return undefined;
  logger.info({ event: "node_key_adopted", address });
  return openIdentity(place);
}

/** The label of this node's containers: the address of its first key, since containers outlast a key. */
export function containerOwner(dir: string, address: Hex): string {
  const path = join(dir, "container-owner");
  createSecret(path, address.toLowerCase());
  return readFileSync(path, "utf8").trim();
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
