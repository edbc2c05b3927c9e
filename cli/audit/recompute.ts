import { type BlockClock, createBlockClock, readRewardLogs } from "@ngpu/audit/chainHistory";
import { readJudgedWaves } from "@ngpu/audit/waveHistory";
import { createChainClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { type Closed, type ClosedEpoch, closeEpoch } from "@ngpu/rewards/close";
import { finalDays, windowOf } from "@ngpu/rewards/epochs";
import { factsOfLogs, type RewardLogs } from "@ngpu/rewards/logFacts";
import { rewardContractOf } from "@ngpu/rewards/rewardContracts";
import { termsInLogs } from "@ngpu/rewards/termLogs";
import { FatalError, InputError } from "@ngpu/runtime/errors";
import type { JudgedWave } from "@ngpu/waves/history";
import type { Address } from "viem";
import { readNetwork } from "../shared/network.ts";
import { apiOf, settingsOf } from "../shared/settings.ts";

export type SourceOptions = { api: string; rpcUrl?: string; deployment?: string };

/** A market's chain: its deployment, its logs and the epochs that its poster posted. */
type History = {
  deployment: Deployment;
  logs: RewardLogs;
  waves: readonly JudgedWave[];
  clock: BlockClock;
};

/** The root that the chain has for an epoch. */
export type PostedEpoch = { root: string; total: bigint; dataHash: string };

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
  const posted = postedEpoch(logs, deployment, number);
  let before: Closed = { number: 0, granted: new Map(), bonds: new Map(), throughDay: null };
  let found: ClosedEpoch | undefined;
  for (let next = 1; next <= number; next++) {
    found = await closeNext({ deployment, logs, waves, clock }, next, before);
    before = found.closed;
  }
  const recomputed = found as ClosedEpoch;
  return {
    ...recomputed,
    posted,
    total: recomputed.leaves.reduce((sum, leaf) => sum + leaf.cumulative, 0n),
    source: { chainId: deployment.chainId, rpcUrls, pomc: recomputed.document.pomc },
  };
}

/** The last root posted under a number. @throws InputError `epoch_not_posted` */
function postedEpoch(logs: RewardLogs, deployment: Deployment, number: number): PostedEpoch {
  const { generation } = rewardContractOf(deployment, number);
  const own = logs.Pomc.filter((log) => log.generation === generation && Number(log.args.number) === number);
  const last = own.findLast(({ name }) => name === "EpochPosted");
  if (last === undefined) {
    throw new InputError(`Epoch ${number} is not posted.`, {
      code: "epoch_not_posted",
      hint: "GET /v1/epochs lists the posted epochs. An epoch without new grants has no root.",
    });
  }
  const { root, total, dataHash } = last.args;
  return { root: String(root), total: total as bigint, dataHash: String(dataHash) };
}

async function closeNext(
  { deployment, logs, waves, clock }: History,
  number: number,
  before: Closed,
): Promise<ClosedEpoch> {
  const periods = deployment.parameters;
  const schedule = rewardContractOf(deployment, number);
  const window = windowOf(number, periods);
  const terms = termsInLogs(logs.Pomc, schedule.generation, number);
  if (terms === undefined) {
    throw new FatalError(`The chain has no reward terms of epoch ${number}.`, {
      code: "terms_not_found",
      hint: "Check that the endpoint has all blocks since the deployment.",
    });
  }
  const firstTime = await clock.timeOf(deployment.startBlock);
  const firstDay = before.throughDay ?? Math.floor(firstTime / periods.daySeconds) - 1;
  const dayBlocks = new Map<number, bigint>();
  for (const day of finalDays(window.settledAt, firstDay, periods)) {
    const until = (day + 1) * periods.daySeconds + periods.heartbeatWindowSeconds;
    dayBlocks.set(until, (await clock.lastBefore(until)).block);
  }
  // Nothing was counted before the first epoch.
  const counted = number === 1 ? undefined : await clock.lastBefore(windowOf(number - 1, periods).settledAt);
  const facts = factsOfLogs(logs, {
    waves,
    window,
    periods,
    terms,
    throughDay: before.throughDay,
    firstTime,
    asOf: await clock.lastBefore(window.settledAt),
    after: counted?.block ?? 0n,
    blockBefore: (time) => dayBlocks.get(time) ?? 0n,
  });
  return closeEpoch({ window, schedule, facts, before });
}
