import { json, print } from "../shared/output.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";
import { tokens } from "../shared/units.ts";

/** Requests test tokens for a wallet. */
export async function requestTokens(wallet: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const gift = await apiOf(settings).call("POST /v1/faucet", { body: { wallet } });
  const amounts = `${tokens(gift.tokens)} NGPU and ${tokens(gift.ether)} ETH`;
  print(settings.json ? json(gift) : `Sent ${amounts} to ${gift.wallet}.`);
}
