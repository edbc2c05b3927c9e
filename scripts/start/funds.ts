import { chainOf, chainTransport, createChainClient } from "@ngpu/chain-reader/client";
import { FatalError } from "@ngpu/runtime/errors";
import { createTestClient, createWalletClient, formatEther, http, parseEther } from "viem";
import type { KeyName, Keys } from "./keys.ts";
import type { MarketChain } from "./market.ts";
import type { Progress } from "./reporter.ts";
import { unlessAborted } from "./waitFor.ts";

/** Accounts that send transactions and need gas. Nodes and measurers never do. */
const gasPayers: KeyName[] = [
  "match",
  "committer",
  "keeper",
  "measureKeeper",
  "workspace",
  "dispense",
  "pomc",
  "receiptsPoster",
  "api",
  "operator",
  "partner",
] as const;

/** A sender with less is funded with twice this amount. */
const enough = parseEther("0.005");
/** Upper bound of the deployment's cost on an OP-stack chain at ordinary fees. */
const deploymentCost = parseEther("0.01");

type Funding = {
  chain: MarketChain;
  keys: Keys;
  signal: AbortSignal;
  progress: Progress;
  /** Whether the deployer also pays for a deployment. */
  deploys: boolean;
};

/**
 * Funds every sender: by setting balances on the embedded chain, from the deployer on any other.
 *
 * @throws FatalError `deployer_unfunded` with the required amount, before anything is sent.
 */
export async function fundSenders(funding: Funding): Promise<void> {
  funding.progress("funding the services' accounts");
  if (funding.chain.embedded) await fundBySetBalance(funding);
  else await fundFromDeployer(funding);
}

async function fundBySetBalance({ chain, keys }: Funding): Promise<void> {
  const test = createTestClient({ mode: "hardhat", transport: http(chain.rpcUrls[0]) });
  const everyone: KeyName[] = [...gasPayers, "deployer", "treasury", "guardian", "faucet", "guest"];
  for (const holder of everyone) {
    await test.setBalance({ address: keys[holder].account.address, value: parseEther("1000") });
  }
}

async function fundFromDeployer({ chain, keys, signal, progress, deploys }: Funding): Promise<void> {
  const client = createChainClient(chain);
  const deployer = keys.deployer.account;
  const balanceOf = (holder: KeyName) =>
    unlessAborted(signal, client.getBalance({ address: keys[holder].account.address }));
  const underfunded: KeyName[] = [];
  for (const holder of gasPayers) if ((await balanceOf(holder)) < enough) underfunded.push(holder);
  const needed = BigInt(underfunded.length) * 2n * enough + (deploys ? deploymentCost : 0n);
  const own = await balanceOf("deployer");
  if (own < needed) {
    throw new FatalError(
      `The deployer ${deployer.address} has ${formatEther(own)} ETH on chain ${chain.chainId}; it needs ${formatEther(needed)} ETH${deploys ? " to deploy the contracts and" : ""} to fund ${underfunded.length} senders.`,
      { code: "deployer_unfunded", hint: "Send it ETH on this chain, then start again." },
    );
  }
  const wallet = createWalletClient({
    account: deployer,
    chain: chainOf(chain.chainId),
    transport: chainTransport(chain.rpcUrls),
  });
  for (const holder of underfunded) {
    progress(`funding ${holder}`);
    const { address } = keys[holder].account;
    const hash = await wallet.sendTransaction({ to: address, value: 2n * enough });
    await unlessAborted(signal, client.waitForTransactionReceipt({ hash }));
  }
}
