import { chainOf, chainTransport, createChainClient } from "@ngpu/chain-reader/client";
import { pomcAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { generationOf } from "@ngpu/contracts-sdk/generations";
import { FatalError } from "@ngpu/runtime/errors";
import { createWalletClient, formatEther, type Hex, parseEventLogs } from "viem";
import type { Market } from "../market.ts";
import type { Progress } from "../reporter.ts";
import type { JourneyResult } from "../result.ts";
import { unlessAborted, waitFor } from "../waitFor.ts";
import type { Api } from "./api.ts";

/** On a persistent chain the safe head lags by the time that batches take to reach L1. */
const safeLagSeconds = 1_800;

type EpochRow = { number: bigint; root: string; total: bigint };

const epochColumns = "epoch.number, epoch.root, epoch.total";

/** Waits for an epoch whose root grants the operator's wallet more than it has claimed. */
export async function awaitEpoch(
  market: Market,
  wallet: string,
  progress: Progress,
): Promise<JourneyResult["epoch"]> {
  const { epochSeconds, slotSeconds, genesis } = market.deployment.parameters;
  const row = await waitFor(
    "an epoch that rewards the operator",
    async () => {
      const { rows } = await market.database.query<EpochRow>(
        `select ${epochColumns}
           from chain.epoch epoch join app.epoch_leaf leaf using (number)
          where leaf.account = $1 and epoch.generation = $2 and not epoch.disabled
            and leaf.cumulative > coalesce((select claimed from chain.claim where account = $1 and generation = $2), 0)
          order by epoch.number desc limit 1`,
        [wallet.toLowerCase(), generationOf(market.deployment, "Pomc")],
      );
      return rows[0];
    },
    {
      signal: market.signal,
      logsDir: market.logsDir,
      progress,
      seconds: 3 * epochSeconds + 10 * slotSeconds + (market.chain.embedded ? 60 : safeLagSeconds),
      describeState: async () => {
        const elapsed = Math.floor(Date.now() / 1000) - genesis;
        const left = epochSeconds - (elapsed % epochSeconds);
        return `epoch ${Math.floor(elapsed / epochSeconds) + 1} ends in ${left} s`;
      },
    },
  );
  return epochOf(row);
}

/** An exported epoch. */
export async function readEpoch(market: Market, number: bigint): Promise<JourneyResult["epoch"]> {
  const { rows } = await market.database.query<EpochRow>(
    `select ${epochColumns} from chain.epoch epoch where number = $1 and generation = $2`,
    [number, generationOf(market.deployment, "Pomc")],
  );
  const [row] = rows;
  if (row === undefined)
    throw new FatalError(`Epoch ${number} is not exported to Postgres.`, {
      code: "epoch_not_found",
      hint: "See the log of autoExport in .ngpu/logs.",
    });
  return epochOf(row);
}

function epochOf(row: EpochRow): JourneyResult["epoch"] {
  return { number: Number(row.number), root: row.root, total: String(row.total) };
}

type RewardAnswer = { epoch: string; cumulative: string; proof: Hex; active: boolean; claimable: string };

export type Claim = JourneyResult["claim"] & { balance: string; epoch: bigint };

/** The operator's wallet claims with the public proof of the API. Its balance is compared before and after. */
export async function claimReward(market: Market, api: Api, progress: Progress): Promise<Claim> {
  const { signal } = market;
  const account = market.keys.operator.account;
  const { chainId, contracts } = market.deployment;
  const client = createChainClient(market.chain);
  const wallet = createWalletClient({
    account,
    chain: chainOf(chainId),
    transport: chainTransport(market.chain.rpcUrls),
  });
  const token = { address: contracts.Token, abi: tokenAbi } as const;
  const balanceAt = (blockNumber: bigint) =>
    client.readContract({ ...token, functionName: "balanceOf", args: [account.address], blockNumber });
  const reward = await activeReward(market, api, progress);
  progress("claiming");
  const hash = await wallet.writeContract({
    address: contracts.Pomc,
    abi: pomcAbi,
    functionName: "claim",
    args: [BigInt(reward.epoch), account.address, BigInt(reward.cumulative), reward.proof],
  });
  const receipt = await unlessAborted(signal, client.waitForTransactionReceipt({ hash }));
  const claimed = parseEventLogs({ abi: pomcAbi, eventName: "Claimed", logs: receipt.logs })[0];
  const [before, after] = await Promise.all([
    balanceAt(receipt.blockNumber - 1n),
    balanceAt(receipt.blockNumber),
  ]);
  const paid = after - before;
  if (claimed === undefined || paid === 0n || paid !== BigInt(reward.claimable)) {
    throw new FatalError(`The claim ${hash} did not increase the wallet's balance by the expected amount.`, {
      code: "claim_failed",
      hint: "See the log of pomc in .ngpu/logs.",
      details: { before, after, due: reward.claimable },
    });
  }
  return {
    wallet: account.address,
    amount: paid.toString(),
    txHash: receipt.transactionHash,
    balance: formatEther(after),
    epoch: BigInt(reward.epoch),
  };
}

function activeReward(market: Market, api: Api, progress: Progress): Promise<RewardAnswer> {
  const { address } = market.keys.operator.account;
  return waitFor(
    "the root to become active",
    async () => {
      const answer = await api.get<RewardAnswer>(`/v1/rewards/${address}`);
      return answer.active && answer.claimable !== "0" ? answer : undefined;
    },
    {
      signal: market.signal,
      logsDir: market.logsDir,
      progress,
      seconds: market.deployment.parameters.activationDelay + 60,
      everyMs: 500,
    },
  );
}
