import { replaceNgpu } from "@ngpu/contracts/ignition/replace";
import { type RoleCall, retirement } from "@ngpu/contracts/ignition/succession";
import type { Succession } from "@ngpu/contracts/ignition/successionParameters";
import {
  dockerContractAbi,
  escrowAbi,
  measureAbi,
  pomcAbi,
  progressAbi,
  proofWavesAbi,
} from "@ngpu/contracts-sdk/generated/abi";
import { type Abi, getContract } from "viem";
import type { MarketFixture } from "./market.ts";

/** Deploys successors and puts them into use; returns the market with them. The previous Pomc no longer posts. */
export async function replace<Market extends MarketFixture>(
  market: Market,
  succession: Succession,
  generation = market.deployment.previous.length + 2,
): Promise<Market> {
  const { connection, deployment, client } = market;
  if (succession !== "measure") {
    // The numbers and sums that the successor continues must not change.
    const stops = retirement(succession, deployment.contracts).filter(({ contract }) => contract === "Pomc");
    await callAs(market, stops);
  }
  const replaced = await replaceNgpu({ connection, deployment, succession, generation, pollMs: 5 });
  const [wallet] = await connection.viem.getWalletClients();
  if (wallet === undefined) throw new Error("The simulated chain has no accounts.");
  const use = <const Used extends Abi>(abi: Used, name: keyof typeof deployment.contracts) => ({
    address: replaced.deployment.contracts[name],
    abi,
    client: { public: client, wallet },
  });
  return {
    ...market,
    deployment: replaced.deployment,
    docker: getContract(use(dockerContractAbi, "DockerContract")),
    escrow: getContract(use(escrowAbi, "Escrow")),
    progress: getContract(use(progressAbi, "Progress")),
    pomc: getContract(use(pomcAbi, "Pomc")),
    measure: getContract(use(measureAbi, "Measure")),
    waves: getContract(use(proofWavesAbi, "ProofWaves")),
  };
}

/** Pauses the entries of replaced contracts. */
export async function retire(market: MarketFixture, succession: Succession): Promise<void> {
  await callAs(market, retirement(succession, market.deployment.contracts));
}

async function callAs({ connection, people }: MarketFixture, calls: readonly RoleCall[]): Promise<void> {
  for (const { role, to, data } of calls) {
    const account = role === "guardian" ? people.guardian : people.deployer;
    const wallet = await connection.viem.getWalletClient(account);
    await wallet.sendTransaction({ to, data });
  }
}
