import type { ApiClient } from "@ngpu/api-client/client";
import { chainOf, chainTransport } from "@ngpu/chain-reader/client";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { BaseError, createWalletClient, type Hex, publicActions } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { readNetwork } from "../shared/network.ts";

export type WalletClient = ReturnType<typeof openWallet>;

/** A client of the chain that signs with the wallet. */
export function openWallet(account: PrivateKeyAccount, chain: { chainId: number; rpcUrls: string[] }) {
  return createWalletClient({
    account,
    chain: chainOf(chain.chainId),
    transport: chainTransport(chain.rpcUrls),
  }).extend(publicActions);
}

/** The market's contracts, and a client that signs with the wallet. */
export async function openChain(api: ApiClient, account: PrivateKeyAccount, rpcUrl: string | undefined) {
  const network = await readNetwork(api, rpcUrl);
  return { client: openWallet(account, network), deployment: network.deployment };
}

/** @deadline The block of a transaction. The command fails; the transaction may still be included. */
const minedTimeout = 180_000;

/**
 * Sends a transaction and waits until it is mined.
 *
 * @throws FatalError `transaction_failed`.
 */
export async function sent({ client }: { client: WalletClient }, send: () => Promise<Hex>): Promise<Hex> {
  try {
    const hash = await send();
    const { status } = await client.waitForTransactionReceipt({ hash, timeout: minedTimeout });
    if (status === "success") return hash;
    throw new Error(`the transaction ${hash} reverted`);
  } catch (cause) {
    const reason = cause instanceof BaseError ? cause.shortMessage : messageOf(cause);
    throw new FatalError(`The transaction failed: ${reason}`, {
      code: "transaction_failed",
      hint: "Check that the wallet has ETH for gas; ngpu doctor checks the chain's endpoints.",
      cause,
    });
  }
}
