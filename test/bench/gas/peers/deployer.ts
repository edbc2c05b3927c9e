import { type Abi, encodeDeployData, type Hex } from "viem";
import type { MarketFixture } from "../../../contracts/support/market.ts";

export type Deployer = {
  /** The first account, which owns the contracts it deploys. */
  address: Hex;
  /** Deploys as the first account. @returns the contract's address */
  deploy(contract: { abi: Abi; bytecode: Hex; args?: unknown[] }): Promise<Hex>;
  /**
   * Sends a transaction and waits for its block. @param from Default: the first account. @throws Error when reverted
   */
  send(call: Call): Promise<Hex>;
  read(call: Call): Promise<unknown>;
  /** Signs as an account of the chain. */
  walletOf(account: Hex): Wallet;
};

type Wallet = Awaited<ReturnType<MarketFixture["connection"]["viem"]["getWalletClients"]>>[number];

export type Call = { address: Hex; abi: Abi; functionName: string; args?: unknown[]; from?: Hex };

/** Deploys and calls contracts given as ABI and bytecode, on the market's chain. */
export async function createDeployer(market: MarketFixture): Promise<Deployer> {
  const wallets = await market.connection.viem.getWalletClients();
  const walletOf = (from: Hex = market.people.deployer): Wallet => {
    const wallet = wallets.find(({ account }) => account.address.toLowerCase() === from.toLowerCase());
    if (wallet === undefined) throw new Error(`The simulated chain has no account ${from}.`);
    return wallet;
  };
  const landed = async (hash: Hex) => {
    const receipt = await market.client.waitForTransactionReceipt({ hash });
    if (receipt.status !== "success") throw new Error(`The transaction ${hash} was reverted.`);
    return receipt;
  };
  return {
    address: market.people.deployer,
    async deploy({ abi, bytecode, args = [] }) {
      const data = encodeDeployData({ abi, bytecode, args });
      const { contractAddress } = await landed(await walletOf().sendTransaction({ data }));
      if (!contractAddress) throw new Error("The deployment created no contract.");
      return contractAddress;
    },
    async send({ from, ...call }) {
      const hash = await walletOf(from).writeContract(call as never);
      await landed(hash);
      return hash;
    },
    walletOf,
    read: ({ from: _, ...call }) => market.client.readContract(call),
  };
}
