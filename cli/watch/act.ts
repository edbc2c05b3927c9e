import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { rewardContractOf } from "@ngpu/rewards/rewardContracts";
import type { Hex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { attestEpoch, disableEpoch, disableUptime } from "../audit/attest.ts";
import type { EpochRecord } from "../audit/epochRecords.ts";
import type { MarketRecord } from "../audit/record.ts";

/** What a watcher did about a record. */
export type Act = { act: "attested" | "disabled"; kind: "epoch" | "uptime"; id: string; txHash: Hex };

export type Powers = {
  deployment: Deployment;
  rpcUrls: string[];
  /** Attests epochs that were recomputed; undefined: none. */
  watcher: PrivateKeyAccount | undefined;
  /** Disables roots that differ; undefined: none. */
  guardian: PrivateKeyAccount | undefined;
};

/**
 * Attests an epoch that is right and not active yet, and disables an epoch or a day's uptime root that differs.
 *
 * @param now The chain's time, Unix seconds.
 * @returns Undefined: nothing is to be done, or no key for it was given.
 * @throws FatalError `transaction_failed`
 */
export async function actOn(
  record: MarketRecord | EpochRecord,
  now: number,
  { deployment, rpcUrls, watcher, guardian }: Powers,
): Promise<Act | undefined> {
  const differs = record.detail !== undefined;
  const account = differs ? guardian : watcher;
  if (account === undefined) return undefined;
  const from = { account, chainId: deployment.chainId, rpcUrls };
  if (record.kind === "uptime" && differs) {
    const { ComputeNode: computeNode } = deployment.contracts;
    const txHash = await disableUptime(from, { computeNode, day: BigInt(record.id) });
    return { act: "disabled", kind: "uptime", id: record.id, txHash };
  }
  // One that is active cannot be disabled, and is not attested.
  if (!("activatesAt" in record) || record.activatesAt <= now) return undefined;
  const { number, root, id } = record;
  const pomc = rewardContractOf(deployment, number).address;
  const txHash = differs
    ? await disableEpoch(from, { pomc, number })
    : await attestEpoch(from, { pomc, number, root: root as Hex });
  return { act: differs ? "disabled" : "attested", kind: "epoch", id, txHash };
}
