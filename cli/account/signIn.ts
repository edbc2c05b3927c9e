import { createApiClient } from "@ngpu/api-client/client";
import { createSiweMessage } from "viem/siwe";
import { readWallet } from "./wallet.ts";

type SignIn = { keyName: string; account?: string; invitation?: string };

/** Signs in with a wallet (EIP-4361), to its own account or to one that it is a member of. @returns A new API key. */
export async function signIn(url: string, walletFile: string, given: SignIn): Promise<string> {
  const { keyName, account: to, invitation } = given;
  const account = readWallet(walletFile);
  const api = createApiClient({ url });
  const { nonce, domain, uri, chainId } = await api.call("POST /v1/auth/nonce", {});
  const { address } = account;
  const message = createSiweMessage({ address, chainId, domain, uri, nonce, version: "1" });
  const signature = await account.signMessage({ message });
  const body = {
    message,
    signature,
    keyName,
    ...(to === undefined ? {} : { account: to }),
    ...(invitation === undefined ? {} : { invitation }),
  };
  const { apiKey } = await api.call("POST /v1/accounts", { body });
  return apiKey;
}
