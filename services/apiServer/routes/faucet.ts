import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { address, amount, txHash } from "../schemas/common.ts";

/** The faucet's endpoint; none on a market without a faucet. */
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
          "Available only where the token is worth nothing, such as on a market of `npm start`. Sends 100 NGPU to a wallet that has less, and 0.1 ETH if it has less ETH than that.",
        access: "auth",
        body: z.strictObject({ wallet: address }),
        status: 201,
        errors: [409],
        answer: z.object({
          wallet: z.string(),
          tokens: amount("Token units sent"),
          ether: amount("Wei sent; 0 if the wallet has enough"),
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
