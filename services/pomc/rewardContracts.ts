import type { ContractName, Deployment } from "@ngpu/contracts-sdk/deployment";
import { addressFor, generationsOf, type Ids } from "@ngpu/contracts-sdk/generations";
import type { Address } from "viem";

/** A Pomc, which counts what it grants from zero, and pays the epochs from its first number up to its successor's. */
export type RewardContract = {
  address: Address;
  /** Its place among all there were, the oldest first from 1. */
  generation: number;
  /** The last number that belongs to those before it. */
  epochsBefore: number;
  /** What it may grant for an epoch. */
  emission: bigint;
};

/** Every Pomc there was, the present one last. */
export function rewardContractsOf(deployment: Deployment): RewardContract[] {
  return deployedWith(deployment, "Pomc").map(({ parameters, ...pomc }) => ({
    ...pomc,
    epochsBefore: parameters.before.epochs,
    emission: parameters.emissionPerEpoch ?? deployment.parameters.emissionPerEpoch,
  }));
}

type Settings = Deployment["previous"][number]["parameters"];

/** Every contract there was of a name, the present one last, and what each was deployed with. */
function deployedWith(deployment: Deployment, name: ContractName) {
  const previous = deployment.previous.filter(({ contracts }) => contracts[name] !== undefined);
  const settings: Settings[] = [...previous.map(({ parameters }) => parameters), deployment.parameters];
  return generationsOf(deployment, name).map((contract, place) => ({
    ...contract,
    parameters: settings[place] as Settings,
  }));
}

/** The Pomc that an epoch belongs to. */
export function rewardContractOf(deployment: Deployment, epoch: number): RewardContract {
  const address = addressFor(deployment, "Pomc", { epoch: BigInt(epoch) });
  return rewardContractsOf(deployment).find(
    (rewardContract) => rewardContract.address === address,
  ) as RewardContract;
}

/** The Pomc that takes epochs now. */
export function currentRewardContract(deployment: Deployment): RewardContract {
  return rewardContractsOf(deployment).at(-1) as RewardContract;
}

/** Everything that a Pomc may have granted by an epoch of its own. */
export function scheduleUpTo({ epochsBefore, emission }: RewardContract, epoch: number): bigint {
  return BigInt(epoch - epochsBefore) * emission;
}

/** An escrow, by its place among all there were, and the workspaces that are paid from it. */
export type EscrowContract = { generation: number; above: bigint; upTo: bigint | null };

/** The escrow that a workspace is paid from. */
export function escrowOf(deployment: Deployment, ids: Pick<Ids, "workspaceId">): EscrowContract {
  const escrows = deployedWith(deployment, "Escrow");
  const own = addressFor(deployment, "Escrow", ids);
  const { generation } = escrows.find(({ address }) => address === own) as (typeof escrows)[number];
  const begins = escrows.map(({ parameters }) => BigInt(parameters.before.workspaces));
  return { generation, above: begins[generation - 1] ?? 0n, upTo: begins[generation] ?? null };
}
