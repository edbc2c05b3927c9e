import { createClient, type Hex, http, parseAbi } from "viem";
import { getBlock, readContract } from "viem/actions";
import { encodeFunctionData, numberToHex } from "viem/utils";
import type { ChainFacts } from "./claimProof.ts";
import { accountOf, type Wallet } from "./providers.ts";

const abi = parseAbi([
  "function claim(uint64 number, address account, uint96 cumulative, bytes proof) returns (uint256 amount)",
  "function claimedOf(address account) view returns (uint256 amount)",
  "function epochOf(uint64 number) view returns (bytes20 root, uint128 total, uint40 activatesAt, bool disabled)",
]);

/** @deadline The RPC endpoint that the page verifies with. The page says that it did not answer. */
const timeout = 15_000;

/** Reads from an RPC endpoint, at one block, what a claim depends on. */
export async function readClaimFacts(
  rpcUrl: string,
  { pomc, account, epoch }: { pomc: Hex; account: Hex; epoch: bigint },
): Promise<ChainFacts> {
  const client = createClient({ transport: http(rpcUrl, { timeout, retryCount: 1 }) });
  const { number: blockNumber, timestamp: time } = await getBlock(client);
  const at = { address: pomc, abi, blockNumber } as const;
  const [[root, , activatesAt, disabled], claimed] = await Promise.all([
    readContract(client, { ...at, functionName: "epochOf", args: [epoch] }),
    readContract(client, { ...at, functionName: "claimedOf", args: [account] }),
  ]);
  return { block: blockNumber, time, root, activatesAt: BigInt(activatesAt), disabled, claimed };
}

export type ClaimCall = { pomc: Hex; account: Hex; epoch: bigint; cumulative: bigint; proof: Hex };

/** Asks the wallet to send the claim, and returns the transaction's hash. Any account may pay its gas. */
export async function sendClaim(wallet: Wallet, chainId: number, call: ClaimCall): Promise<Hex> {
  const from = await accountOf(wallet);
  const { provider } = wallet;
  await provider.request({
    method: "wallet_switchEthereumChain",
    params: [{ chainId: numberToHex(chainId) }],
  });
  const { epoch, account, cumulative, proof } = call;
  const args = [epoch, account, cumulative, proof] as const;
  const data = encodeFunctionData({ abi, functionName: "claim", args });
  return (await provider.request({
    method: "eth_sendTransaction",
    params: [{ from, to: call.pomc, data }],
  })) as Hex;
}
