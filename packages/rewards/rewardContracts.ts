import type { ContractName, Deployment } from "@ngpu/contracts-sdk/deployment";
import { addressFor, generationsOf, type Ids } from "@ngpu/contracts-sdk/generations";
import type { Address } from "viem";

/** A Pomc. Its grants accumulate from zero. It pays the epochs from its first one up to its successor's first one. */
export type RewardContract = {
  address: Address;
  /** Generation of the contract: 1 is the oldest. */
  generation: number;
  /** Number of the last epoch of its predecessors. */
  epochsBefore: number;
  /** Maximum grants for an epoch, token units (1e-18). */
  emission: bigint;
};

/** Every Pomc of the deployment, the current one last. */
export function rewardContractsOf(deployment: Deployment): RewardContract[] {
  return deployedWith(deployment, "Pomc").map(({ parameters, ...pomc }) => ({
    ...pomc,
    epochsBefore: parameters.before.epochs,
    emission: parameters.emissionPerEpoch ?? deployment.parameters.emissionPerEpoch,
  }));
}

type Settings = Deployment["previous"][number]["parameters"];

/** Every contract of a name, the current one last, each with the parameters of its deployment. */
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

/** The Pomc that accepts epochs now. */
export function currentRewardContract(deployment: Deployment): RewardContract {
  return rewardContractsOf(deployment).at(-1) as RewardContract;
}

/** An escrow by its generation, and its workspaces: ids above `above`, up to `upTo` (null: no limit). */
export type EscrowContract = { generation: number; above: bigint; upTo: bigint | null };

/** The escrow that a workspace is paid from. */
export function escrowOf(deployment: Deployment, ids: Pick<Ids, "workspaceId">): EscrowContract {
  const escrows = deployedWith(deployment, "Escrow");
  const own = addressFor(deployment, "Escrow", ids);
  const { generation } = escrows.find(({ address }) => address === own) as (typeof escrows)[number];
  const begins = escrows.map(({ parameters }) => BigInt(parameters.before.workspaces));
  return { generation, above: begins[generation - 1] ?? 0n, upTo: begins[generation] ?? null };
}
