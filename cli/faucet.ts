import { formatEther } from "viem";
import { callApi } from "./api.ts";

type Gift = { wallet: string; tokens: string; ether: string };

/** Asks a market of test tokens for some. */
export async function askFaucet(wallet: string, options: { api: string; json: boolean }): Promise<void> {
  const gift = (await callApi({ api: options.api }, "/v1/faucet", { wallet })) as Gift;
  const given = `${formatEther(BigInt(gift.tokens))} NGPU and ${formatEther(BigInt(gift.ether))} ETH`;
  process.stdout.write(options.json ? `${JSON.stringify(gift)}\n` : `${gift.wallet} got ${given}.\n`);
}
