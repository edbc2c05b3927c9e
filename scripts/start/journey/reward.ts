import { createWalletClient, formatEther, type Hex, parseEventLogs } from "viem";
import { chainOf, chainTransport, createChainClient } from "../../../services/shared/chain/client.ts";
import { pomcAbi, tokenAbi } from "../../../services/shared/chain/generated/abi.ts";
import { FatalError } from "../../../services/shared/errors.ts";
import type { Market } from "../market.ts";
import type { JourneyResult } from "../result.ts";
import { waitFor } from "../wait.ts";
import type { Api } from "./api.ts";

type EpochRow = { number: bigint; root: string; total: bigint };

/** Waits for the first epoch whose root grants the operator's wallet something. */
export async function awaitEpoch(market: Market, wallet: string): Promise<JourneyResult["epoch"]> {
  const { epochSeconds, slotSeconds } = market.deployment.parameters;
  const row = await waitFor(
    "an epoch that rewards the operator",
    async () => {
      const { rows } = await market.database.query<EpochRow>(
        `select epoch.number, epoch.root, epoch.total
           from chain.epoch epoch join app.epoch_leaf leaf using (number)
          where leaf.account = $1 and not epoch.disabled order by epoch.number desc limit 1`,
        [wallet.toLowerCase()],
      );
      return rows[0];
    },
    { signal: market.signal, seconds: 3 * epochSeconds + 10 * slotSeconds + 60 },
  );
  return {
    number: Number(row.number),
    root: row.root,
    total: String(row.total),
  };
}

type RewardAnswer = { epoch: string; cumulative: string; proof: Hex[]; active: boolean; claimable: string };

/** The operator's wallet claims by itself, with the proof the API hands to anyone, and its balance is read before and after. */
export async function claimReward(
  market: Market,
  api: Api,
): Promise<JourneyResult["claim"] & { balance: string }> {
  const account = market.keys.operator.account;
  const { chainId, contracts } = market.deployment;
  const client = createChainClient({ rpcUrls: market.chain.rpcUrls, chainId });
  const wallet = createWalletClient({
    account,
    chain: chainOf(chainId),
    transport: chainTransport(market.chain.rpcUrls),
  });
  const balance = () =>
    client.readContract({
      address: contracts.Token,
      abi: tokenAbi,
      functionName: "balanceOf",
      args: [account.address],
    });
  const before = await balance();
  const reward = await waitFor(
    "an active root",
    async () => {
      const answer = await api.get<RewardAnswer>(`/v1/rewards/${account.address}`);
      return answer.active && answer.claimable !== "0" ? answer : undefined;
    },
    { signal: market.signal, seconds: market.deployment.parameters.activationDelay + 60, everyMs: 500 },
  );
  const hash = await wallet.writeContract({
    address: contracts.Pomc,
    abi: pomcAbi,
    functionName: "claim",
    args: [BigInt(reward.epoch), account.address, BigInt(reward.cumulative), reward.proof],
  });
  const receipt = await client.waitForTransactionReceipt({ hash });
  const claimed = parseEventLogs({ abi: pomcAbi, eventName: "Claimed", logs: receipt.logs })[0];
  const after = await balance();
  if (claimed === undefined || claimed.args.amount === 0n || after - before !== claimed.args.amount) {
    throw new FatalError(`The claim ${hash} did not raise the wallet's balance by what it paid.`, {
      code: "claim_failed",
      details: { before, after, paid: claimed?.args.amount ?? null },
    });
  }
  return {
    wallet: account.address,
    amount: claimed.args.amount.toString(),
    txHash: receipt.transactionHash,
    balance: formatEther(after),
  };
}
