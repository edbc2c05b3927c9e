import { formatEther } from "viem";
import { callApi } from "./api.ts";

type Gift = { wallet: string; tokens: string; ether: string };

/** Requests test tokens for a wallet. */
export async function requestTokens(wallet: string, options: { api: string; json: boolean }): Promise<void> {
  const gift = (await callApi({ api: options.api }, "/v1/faucet", { wallet })) as Gift;
  const amounts = `${formatEther(BigInt(gift.tokens))} NGPU and ${formatEther(BigInt(gift.ether))} ETH`;
  process.stdout.write(options.json ? `${JSON.stringify(gift)}\n` : `Sent ${amounts} to ${gift.wallet}.\n`);
}
