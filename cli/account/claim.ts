import type { Schema } from "@ngpu/api-client/client";
import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { Address, Hex } from "viem";
import { json, print } from "../shared/output.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";
import { tokens } from "../shared/units.ts";
import { openChain, sent } from "./chainWallet.ts";
import { walletOf } from "./wallet.ts";

type Options = GlobalOptions & { wallet?: string; rpcUrl?: string };
type Claimable = Pick<Schema<"PreviousReward">, "pomc" | "epoch" | "cumulative" | "proof" | "claimable">;

/** Claims what an account can claim now, from the market's contract and from replaced ones. */
export async function claim(given: string | undefined, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const wallet = walletOf(settings, options.wallet);
  const account = (given ?? wallet.address) as Address;
  const api = apiOf(settings);
  const reward = await api.call("GET /v1/rewards/{address}", { path: { address: account } });
  const claims: Claimable[] = [reward, ...reward.previous].filter(({ claimable }) => claimable !== "0");
  if (claims.length === 0) {
    if (settings.json) return print(json({ account, claimed: "0", claims: [] }));
    return print(
      `${account} has nothing to claim: ${tokens(reward.pending)} NGPU are pending, ${tokens(reward.withheld)} withheld.`,
    );
  }
  const chain = await openChain(api, wallet, options.rpcUrl);
  const done: { pomc: string; amount: string; txHash: Hex }[] = [];
  for (const { pomc, epoch, cumulative, proof, claimable } of claims) {
    const txHash = await sent(chain, () =>
      chain.client.writeContract({
        address: pomc as Address,
        abi: pomcAbi,
        functionName: "claim" as const,
        args: [BigInt(epoch ?? 0), account, BigInt(cumulative), proof as Hex],
      }),
    );
    done.push({ pomc, amount: claimable, txHash });
    if (!settings.json) print(`Claimed ${tokens(claimable)} NGPU for ${account} in ${txHash}.`);
  }
  const claimed = done.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  if (settings.json) print(json({ account, claimed, claims: done }));
}
