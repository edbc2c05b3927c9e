import { createBlockClock, readRewardLogs } from "@ngpu/audit/chainHistory";
import {
  closeNext,
  nothingClosed,
  type PostedEpoch,
  postedEpoch,
  type RewardHistory,
} from "@ngpu/audit/epochAudit";
import { readJudgedWaves } from "@ngpu/audit/waveHistory";
import { createChainClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import type { ClosedEpoch } from "@ngpu/rewards/close";
import { InputError } from "@ngpu/runtime/errors";
import type { Address } from "viem";
import { readNetwork } from "../shared/network.ts";
import { apiOf, settingsOf } from "../shared/settings.ts";

export type SourceOptions = { api: string; rpcUrl?: string; deployment?: string };

export type RecomputedEpoch = ClosedEpoch & {
  total: bigint;
  posted: PostedEpoch;
  /** Where the epoch was read from. */
  source: { chainId: number; rpcUrls: string[]; pomc: Address };
};

/** The deployment from its file or the API, and the endpoints. Nothing else is read from the API. */
export async function sourceOf(
  options: SourceOptions,
): Promise<{ deployment: Deployment; rpcUrls: string[] }> {
  if (options.deployment !== undefined && options.rpcUrl !== undefined) {
    return { deployment: readDeployment(options.deployment), rpcUrls: [options.rpcUrl] };
  }
  const { deployment, rpcUrls } = await readNetwork(apiOf(settingsOf(options)), options.rpcUrl);
  return {
    deployment: options.deployment === undefined ? deployment : readDeployment(options.deployment),
    rpcUrls,
  };
}

/** An epoch's number. @throws InputError `epoch_number_invalid` */
export function epochNumber(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new InputError(`${text} is not the number of an epoch.`, {
    code: "epoch_number_invalid",
    hint: "Epochs are numbered from 1; GET /v1/epochs lists them.",
  });
}

/**
 * Recomputes an epoch, and every one before it, from an RPC endpoint alone.
 *
 * @throws InputError `epoch_not_posted`; FatalError `terms_not_found`.
 */
export async function recomputeEpoch(number: number, options: SourceOptions): Promise<RecomputedEpoch> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const client = createChainClient({ chainId: deployment.chainId, rpcUrls });
  const { number: latest } = await readHeader(client, "latest");
  const clock = createBlockClock(client, latest);
  const logs = await readRewardLogs(client, deployment, { upTo: latest, clock });
  const waves = await readJudgedWaves(client, deployment, { upTo: latest, clock });
  const history = { deployment, logs, waves, clock };
  const posted = requirePosted(history, number);
  let recomputed = await closeNext(history, nothingClosed);
  while (recomputed.closed.number < number) recomputed = await closeNext(history, recomputed.closed);
  return {
    ...recomputed,
    posted,
    total: recomputed.leaves.reduce((sum, leaf) => sum + leaf.cumulative, 0n),
    source: { chainId: deployment.chainId, rpcUrls, pomc: recomputed.document.pomc },
  };
}

/** @throws InputError `epoch_not_posted` */
function requirePosted({ logs, deployment }: RewardHistory, number: number): PostedEpoch {
  const posted = postedEpoch(logs, deployment, number);
  if (posted !== undefined) return posted;
  throw new InputError(`Epoch ${number} is not posted.`, {
    code: "epoch_not_posted",
    hint: "GET /v1/epochs lists the posted epochs. An epoch without new grants has no root.",
  });
}
