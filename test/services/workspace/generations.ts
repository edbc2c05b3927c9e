import { join } from "node:path";
import { replaceNgpu } from "@ngpu/contracts/ignition/replace";
import { retirement } from "@ngpu/contracts/ignition/succession";
import type { Succession } from "@ngpu/contracts/ignition/successionParameters";
import { dockerContractAbi, escrowAbi, pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf, type Leaf } from "@ngpu/protocol/claimTree";
import { encodeFunctionData, type Hex, keccak256 } from "viem";
import { testStateDir } from "../../support/parts.ts";
import { accounts, chainAt, connect, type TestChain } from "./chain.ts";

let replacements = 0;

/**
 * Replaces contracts as operators do. Returns the chain with the new contracts; the given chain still uses the previous ones.
 */
export async function replaceContracts(chain: TestChain, succession: Succession): Promise<TestChain> {
  const { url, deployed, call } = chain;
  if (succession !== "measure") {
    const stops = retirement(succession, deployed.contracts).filter(({ contract }) => contract === "Pomc");
    for (const { contract, data } of stops) await call("deployer", contract, data);
  }
  replacements += 1;
  // A separate journal for each, because the chain is reset between suites.
  const connection = await connect(url, join(await testStateDir(), `ignition-${replacements}`));
  try {
    const generation = deployed.previous.length + 2;
    const { deployment } = await replaceNgpu({
      connection,
      deployment: deployed,
      succession,
      generation,
      pollMs: 10,
    });
    return chainAt(url, deployment);
  } finally {
    await connection.close();
  }
}

export type PostedEpoch = { number: bigint; root: Hex; total: bigint; proofs: Hex[] };

/** Ends an epoch, posts its root and waits until it is active. */
export async function postEpoch(chain: TestChain, number: bigint, leaves: Leaf[]): Promise<PostedEpoch> {
  const { genesis, epochSeconds, settlementSeconds, activationDelay } = chain.deployment.parameters;
  const { timestamp } = await chain.client.getBlock();
  const settledAt = genesis + Number(number) * epochSeconds + settlementSeconds;
  await chain.pass(Math.max(1, settledAt - Number(timestamp)));
  const tree = claimTreeOf(leaves);
  const total = leaves.reduce((sum, { cumulative }) => sum + cumulative, 0n);
  const args = [number, tree.root, total, keccak256("0xda")] as const;
  await chain.call("deployer", "Pomc", encodeFunctionData({ abi: pomcAbi, functionName: "postEpoch", args }));
  await chain.pass(activationDelay);
  return { number, root: tree.root, total, proofs: leaves.map((_leaf, place) => tree.proofOf(place)) };
}

export async function claim(
  { call }: TestChain,
  number: bigint,
  { account, cumulative }: Leaf,
  proof: Hex,
): Promise<void> {
  const args = [number, account as Hex, cumulative, proof] as const;
  await call("relayer", "Pomc", encodeFunctionData({ abi: pomcAbi, functionName: "claim", args }));
}

export async function registerImage({ call }: TestChain, digest: Hex, reference: string): Promise<void> {
  const args = [digest, 10n, keccak256("0x02"), reference] as const;
  const data = encodeFunctionData({ abi: dockerContractAbi, functionName: "registerImage", args });
  await call("owner", "DockerContract", data);
}

export async function withdraw({ call }: TestChain, amount: bigint): Promise<void> {
  const args = [amount, accounts.owner.address] as const;
  await call("owner", "Escrow", encodeFunctionData({ abi: escrowAbi, functionName: "withdraw", args }));
}
