import { createApiClient } from "@ngpu/api-client/client";
import { createSiweMessage } from "viem/siwe";
import { readWallet } from "./wallet.ts";

/** Signs in with a wallet (EIP-4361). @returns A new API key. */
export async function signIn(url: string, walletFile: string, keyName: string): Promise<string> {
  const account = readWallet(walletFile);
  const api = createApiClient({ url });
  const { nonce, domain, uri, chainId } = await api.call("POST /v1/auth/nonce", {});
  const { address } = account;
  const message = createSiweMessage({ address, chainId, domain, uri, nonce, version: "1" });
  const signature = await account.signMessage({ message });
  const { apiKey } = await api.call("POST /v1/accounts", { body: { message, signature, keyName } });
  return apiKey;
}
