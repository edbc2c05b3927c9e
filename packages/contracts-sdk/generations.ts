import type { Address } from "viem";
import type { ContractName, Deployment } from "./deployment.ts";

type Before = Deployment["parameters"]["before"];

/** The contracts in use and the replaced ones. */
export type Generations = Pick<Deployment, "contracts" | "previous">;
type Contracts = Generations & { parameters: { before: Before } };

/** All addresses of a contract: the replaced ones, oldest first, then the current one. */
export function addressesOf({ contracts, previous }: Generations, name: ContractName): Address[] {
  const before = previous.flatMap((entry) => entry.contracts[name] ?? []);
  return [...before, contracts[name]];
}

/** All addresses of a contract with their generation, counted from 1 as in schema chain. */
export function generationsOf(
  deployment: Generations,
  name: ContractName,
): { generation: number; address: Address }[] {
  return addressesOf(deployment, name).map((address, position) => ({ generation: position + 1, address }));
}

/** The generation of the contract in use: 1 if it was never replaced. */
export function generationOf(deployment: Generations, name: ContractName): number {
  return addressesOf(deployment, name).length;
}

/**
 * The fields of a call or message that identify its generation. The ids of a generation are higher than those of the
 * previous ones.
 */
export type Ids = {
  workspaceId?: unknown;
  authorizationId?: unknown;
  roundId?: unknown;
  /** Number of a reward epoch. */
  epoch?: unknown;
  /** Number of a task receipt batch. */
  batch?: unknown;
};

const workspaces = { workspaceId: "workspaces" } as const;
/** For each contract the ids that identify its generation, and the field of `before` to compare each with. */
const idFields: Partial<Record<ContractName, Partial<Record<keyof Ids, keyof Before>>>> = {
  DockerContract: workspaces,
  Progress: workspaces,
  Escrow: { ...workspaces, authorizationId: "authorizations" },
  Measure: { roundId: "rounds" },
  // A workspace id selects the last Pomc of the escrow that the workspace is paid from.
  Pomc: { ...workspaces, epoch: "epochs", batch: "batches" },
};

/**
 * The address of the contract that issued these ids: the current contract or a replaced one. Without an id that
 * identifies a generation it is the current contract.
 */
export function addressFor(deployment: Contracts, name: ContractName, ids: Ids): Address {
  const current = deployment.contracts[name];
  for (const [field, begin] of Object.entries(idFields[name] ?? {}) as [keyof Ids, keyof Before][]) {
    const id = ids[field];
    if (typeof id !== "bigint") continue;
    if (id > BigInt(deployment.parameters.before[begin])) return current;
    const replaced = deployment.previous.filter(({ contracts }) => contracts[name] !== undefined);
    const entry = replaced.findLast(({ parameters }) => id > BigInt(parameters.before[begin]));
    return entry?.contracts[name] ?? current;
  }
  return current;
}

/** Groups items by their contract, in order. A batch may span generations; a call goes to one contract. */
export function byContract<Item>(
  deployment: Contracts,
  name: ContractName,
  items: readonly Item[],
  idsOf: (item: Item) => Ids,
): Map<Address, Item[]> {
  return Map.groupBy(items, (item) => addressFor(deployment, name, idsOf(item)));
}
