import type { Page } from "playwright-core";
import type { Hex } from "viem";
import { signTyped } from "../services/apiServer/partner.ts";
import { accounts } from "../services/workspace/chain.ts";
import { rpc } from "../support/rpc.ts";
import type { ConsoleMarket } from "./market.ts";

/** A wallet in the page (EIP-1193), which announces itself (EIP-6963). It signs as the partner and sends as another account. */
export async function injectWallet(page: Page, { account, api }: ConsoleMarket): Promise<void> {
  const answer = async (method: string, params: unknown[]): Promise<unknown> => {
    if (method === "eth_requestAccounts") return [account.address];
    if (method === "wallet_switchEthereumChain") return null;
    if (method === "personal_sign") return account.signMessage({ message: { raw: params[0] as Hex } });
    if (method === "eth_signTypedData_v4") {
      return signTyped(account, { typedData: JSON.parse(String(params[1])) });
    }
    if (method !== "eth_sendTransaction") throw new Error(`The wallet does not know ${method}.`);
    const call = { ...(params[0] as object), from: accounts.relayer.address };
    return rpc(api.chain.url, method, [call]);
  };
  await page.exposeFunction("answerAsWallet", answer);
  await page.addInitScript(`
    const provider = { request: ({ method, params = [] }) => window.answerAsWallet(method, params) };
    const detail = { info: { uuid: "test", name: "Test wallet", icon: "", rdns: "test" }, provider };
    const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
    window.addEventListener("eip6963:requestProvider", announce);
    announce();
  `);
}
