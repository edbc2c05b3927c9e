import { join } from "node:path";
import { createChainClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import type { Logger } from "@ngpu/runtime/logger";
import type { MeasurerEnv } from "../env.ts";
import { openJournalOf } from "../journal/open.ts";
import { openIdentity } from "../keys/identity.ts";
import { loadNetwork } from "../network.ts";
import { applyEndpoints } from "../updates/applyConfig.ts";
import { readClientConfig, updatePlace } from "../updates/place.ts";

/** Opens what a measurement node needs before it starts. */
export async function prepareMeasurer(env: MeasurerEnv, logger: Logger) {
  const dir = env.MEASURER_DIR;
  const account = await openIdentity({ dir, name: "measurer", passphraseFile: env.MEASURER_PASSPHRASE_FILE });
  const network = await loadNetwork({ api: env.NGPU_API, dir, logger });
  const place = updatePlace();
  const clientConfig = readClientConfig(place);
  applyEndpoints(network, clientConfig);
  const { deployment } = network;
  // Identified by ComputeNode, not Measure: a replaced Measure still receives the results of its last rounds.
  const market = `${deployment.chainId}/${deployment.contracts.ComputeNode.toLowerCase()}`;
  const journal = openJournalOf(join(dir, "journal.sqlite"), market, (to) =>
    logger.warn({ event: "journal_of_another_market", movedTo: to }),
  );
  const client = createChainClient({ rpcUrls: network.rpcUrls, chainId: deployment.chainId });
  await requireChain(client, deployment);
  return { account, network, journal, client, updatePlace: place, clientConfig };
}

export type PreparedMeasurer = Awaited<ReturnType<typeof prepareMeasurer>>;
