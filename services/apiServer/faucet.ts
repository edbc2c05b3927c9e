import { type ChainClient, chainOf, chainTransport } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { InputError, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { type Address, createWalletClient, formatEther, type Hex, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";

/** Amounts of one gift. */
export const faucetGift = { tokens: parseEther("100"), ether: parseEther("0.1") };

/** Maximum requests per hour, for all wallets together. */
const REQUESTS_AN_HOUR = 60;
const HOUR_MS = 3_600_000;

export type Gift = { tokens: bigint; ether: bigint; txHash: Hex };

export type Faucet = {
  /**
   * Sends a wallet test tokens, and ETH if it has less than the gift.
   *
   * @throws InputError `wallet_already_funded` (409), `faucet_empty` (409) or `rate_limited` (429); RetryableError
   *   `chain_unreachable`.
   */
  give(wallet: Address): Promise<Gift>;
};

/** Creates a faucet with its own account. Only one process may send from that account; gifts are sent one at a time. */
export function createFaucet(options: {
  key: Hex;
  client: ChainClient;
  rpcUrls: string[];
  deployment: Deployment;
  now?: () => number;
}): Faucet {
  const { client, deployment, now = Date.now } = options;
  const account = privateKeyToAccount(options.key);
  const wallet = createWalletClient({
    account,
    chain: chainOf(deployment.chainId),
    transport: chainTransport(options.rpcUrls),
  });
  const token = { address: deployment.contracts.Token, abi: tokenAbi } as const;
  const tokensOf = (of: Address) => client.readContract({ ...token, functionName: "balanceOf", args: [of] });
  let giftTimes: number[] = [];
  let queue: Promise<unknown> = Promise.resolve();

  const give = async (to: Address): Promise<Gift> => {
    const [has, ether, left] = await Promise.all([
      tokensOf(to),
      client.getBalance({ address: to }),
      tokensOf(account.address),
    ]);
    giftTimes = requireQuota(giftTimes, now());
    if (has >= faucetGift.tokens) throw enough(to, has);
    if (left < faucetGift.tokens) throw empty(left);
    giftTimes.push(now());
    const ethToSend = ether < faucetGift.ether ? faucetGift.ether : 0n;
    const hashes = ethToSend === 0n ? [] : [await wallet.sendTransaction({ to, value: ethToSend })];
    const args = [to, faucetGift.tokens] as const;
    hashes.push(await wallet.writeContract({ ...token, functionName: "transfer", args }));
    for (const hash of hashes) await client.waitForTransactionReceipt({ hash });
    return { tokens: faucetGift.tokens, ether: ethToSend, txHash: hashes.at(-1) as Hex };
  };
  return {
    give: (to) => {
      const gift = queue.catch(() => undefined).then(() => give(to).catch(translate));
      queue = gift;
      return gift;
    },
  };
}

function requireQuota(giftTimes: number[], now: number): number[] {
  const recent = giftTimes.filter((at) => at > now - HOUR_MS);
  if (recent.length < REQUESTS_AN_HOUR) return recent;
  throw new InputError(`The faucet is limited to ${REQUESTS_AN_HOUR} requests per hour.`, {
    code: "rate_limited",
    status: 429,
    hint: "Wait for the time in the retry-after header.",
    details: { retryAfterSeconds: Math.ceil(((recent[0] ?? now) + HOUR_MS - now) / 1_000) },
  });
}

function enough(wallet: Address, has: bigint): InputError {
  return new InputError(`${wallet} already has ${formatEther(has)} NGPU.`, {
    code: "wallet_already_funded",
    status: 409,
    hint: `The faucet serves wallets with less than ${formatEther(faucetGift.tokens)} NGPU.`,
  });
}

function empty(left: bigint): InputError {
  return new InputError(`The faucet has ${formatEther(left)} NGPU left.`, {
    code: "faucet_empty",
    status: 409,
    hint: "Ask the market's operator to restart it, or to fund the faucet's account.",
  });
}

function translate(error: unknown): never {
  if (error instanceof NgpuError) throw error;
  throw new RetryableError("The faucet's transaction could not be sent.", {
    code: "chain_unreachable",
    hint: "Try again in a few seconds.",
    cause: error,
  });
}
