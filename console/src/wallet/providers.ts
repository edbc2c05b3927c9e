import { useEffect, useState } from "react";

/** An injected wallet (EIP-1193). */
export type Provider = { request: (call: { method: string; params?: unknown[] }) => Promise<unknown> };
/** A wallet as it announces itself (EIP-6963). */
export type Wallet = { info: { uuid: string; name: string }; provider: Provider };

/** The wallets of this browser. They announce themselves when they are asked. */
export function useWallets(): Wallet[] {
  const [wallets, setWallets] = useState<Wallet[]>([]);
  useEffect(() => {
    const add = (event: Event) => {
      const { detail } = event as CustomEvent<Wallet>;
      setWallets((known) =>
        known.some(({ info }) => info.uuid === detail.info.uuid) ? known : [...known, detail],
      );
    };
    window.addEventListener("eip6963:announceProvider", add);
    window.dispatchEvent(new Event("eip6963:requestProvider"));
    return () => window.removeEventListener("eip6963:announceProvider", add);
  }, []);
  return wallets;
}

/** The account that the wallet's owner chooses. */
export async function accountOf({ provider }: Wallet): Promise<`0x${string}`> {
  const accounts = (await provider.request({ method: "eth_requestAccounts" })) as string[];
  const [account] = accounts;
  if (account === undefined || !/^0x[0-9a-fA-F]{40}$/.test(account))
    throw new Error("The wallet has no account.");
  return account as `0x${string}`;
}
