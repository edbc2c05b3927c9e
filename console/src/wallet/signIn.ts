import type { ApiClient } from "@ngpu/api-client/client";
import { stringToHex } from "viem";
import { createSiweMessage } from "viem/siwe";
import { getAddress } from "viem/utils";
import { accountOf, type Wallet } from "./providers.ts";

/**
 * Signs in with a wallet (EIP-4361) and returns the key that the API issues.
 *
 * @param invitation Accepts it: the key is the account's that invited.
 */
export async function signInWith(
  api: ApiClient,
  wallet: Wallet,
  invitation: string | undefined,
): Promise<string> {
  const account = await accountOf(wallet);
  const { nonce, domain, uri, chainId } = await api.call("POST /v1/auth/nonce", {});
  const message = createSiweMessage({
    address: getAddress(account),
    nonce,
    domain,
    uri,
    chainId,
    version: "1",
  });
  const signature = (await wallet.provider.request({
    method: "personal_sign",
    params: [stringToHex(message), account],
  })) as string;
  const { apiKey } = await api.call("POST /v1/accounts", {
    body: { message, signature, keyName: "console", ...(invitation === undefined ? {} : { invitation }) },
  });
  return apiKey;
}
