import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chainOf, chainTransport, createChainClient } from "@ngpu/chain-reader/client";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { createWalletClient, type Hex, parseEther } from "viem";
import type { KeyName } from "./keys.ts";
import type { Market } from "./market.ts";
import { unlessAborted } from "./waitFor.ts";

type Giving = Pick<Market, "chain" | "deployment" | "keys" | "signal">;

/** A wallet for visitors who try the market. */
export type Guest = { address: string; key: Hex; file: string };

/** The treasury tops an account up to `amount`. */
export async function giveTokens(market: Giving, holder: KeyName, amount: bigint): Promise<void> {
  const { chainId, contracts } = market.deployment;
  const client = createChainClient(market.chain);
  const token = { address: contracts.Token, abi: tokenAbi } as const;
  const { address } = market.keys[holder].account;
  const held = await client.readContract({ ...token, functionName: "balanceOf", args: [address] });
  if (held >= amount) return;
  const treasury = createWalletClient({
    account: market.keys.treasury.account,
    chain: chainOf(chainId),
    transport: chainTransport(market.chain.rpcUrls),
  });
  const args = [address, amount - held] as const;
  const hash = await treasury.writeContract({ ...token, functionName: "transfer", args });
  await unlessAborted(market.signal, client.waitForTransactionReceipt({ hash }));
}

/**
 * Funds the faucet and creates a wallet for guests, with its key in `<stateDir>/partner.key` (0600). Only on the
 * embedded chain, where tokens have no value.
 */
export async function fundGuests(market: Giving & { stateDir: string }): Promise<Guest | undefined> {
  if (!market.chain.embedded) return undefined;
  await giveTokens(market, "faucet", parseEther("100000"));
  await giveTokens(market, "guest", parseEther("1000"));
  const { account, key } = market.keys.guest;
  const file = join(market.stateDir, "partner.key");
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return { address: account.address, key, file };
}
