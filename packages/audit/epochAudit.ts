import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { type Closed, type ClosedEpoch, closeEpoch } from "@ngpu/rewards/close";
import { finalDays, windowOf } from "@ngpu/rewards/epochs";
import { factsOfLogs, type RewardLogs } from "@ngpu/rewards/logFacts";
import { rewardContractOf } from "@ngpu/rewards/rewardContracts";
import { termsInLogs } from "@ngpu/rewards/termLogs";
import { FatalError } from "@ngpu/runtime/errors";
import type { JudgedWave } from "@ngpu/waves/history";
import type { BlockClock } from "./chainHistory.ts";

/** What rewards depend on: the market's terms, its logs and its waves. */
export type RewardHistory = {
  deployment: Deployment;
  logs: RewardLogs;
  /** Oldest first. */
  waves: readonly JudgedWave[];
  clock: BlockClock;
};

/** The root that the chain has for an epoch. */
export type PostedEpoch = {
  root: string;
  total: bigint;
  dataHash: string;
  block: bigint;
  /** When it is active without an attestation, Unix seconds. */
  activatesAt: number;
};

/** State before the first epoch. */
export const nothingClosed: Closed = { number: 0, granted: new Map(), bonds: new Map(), throughDay: null };

/** The last root that was posted under a number, disabled or not; undefined: there is none. */
export function postedEpoch(
  logs: RewardLogs,
  deployment: Deployment,
  number: number,
): (PostedEpoch & { isDisabled: boolean }) | undefined {
  const { generation } = rewardContractOf(deployment, number);
  const own = logs.Pomc.filter((log) => log.generation === generation && Number(log.args.number) === number);
  const last = own.findLast(({ name }) => name === "EpochPosted");
  if (last === undefined) return undefined;
  const { root, total, dataHash, activatesAt } = last.args;
  const isDisabled = own.findLast(({ name }) => name === "EpochPosted" || name === "EpochDisabled") !== last;
  return {
    root: String(root),
    total: total as bigint,
    dataHash: String(dataHash),
    block: last.block,
    activatesAt: Number(activatesAt),
    isDisabled,
  };
}

/**
 * Recomputes the epoch after another from logs.
 *
 * @throws FatalError `terms_not_found`
 */
export async function closeNext(
  { deployment, logs, waves, clock }: RewardHistory,
  before: Closed,
): Promise<ClosedEpoch> {
  const number = before.number + 1;
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
