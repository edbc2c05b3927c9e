import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { address, amount, txHash } from "../schemas/common.ts";

/** Only a market of test tokens has a faucet. */
export function faucetRoutes({ faucet }: ApiDeps): Endpoint[] {
  if (faucet === undefined) return [];
  return [
    endpoint(
      {
        method: "post",
        path: "/v1/faucet",
        tag: "Payments",
        summary: "Get test tokens",
        description:
          "Served where the token is worth nothing, such as a market of `npm start`. Gives 100 NGPU to a wallet that has less, and 0.1 ETH.",
        access: "auth",
        body: z.strictObject({ wallet: address }),
        status: 201,
        answer: z.object({
          wallet: z.string(),
          tokens: amount("Token units that were given"),
          ether: amount("Wei that were given"),
          txHash,
        }),
      },
      async ({ body: { wallet } }) => {
        const gift = await faucet.give(wallet);
        return { wallet, tokens: String(gift.tokens), ether: String(gift.ether), txHash: gift.txHash };
      },
    ),
  ];
}
