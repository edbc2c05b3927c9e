import type { Address } from "viem";
import type { ContractName, Deployment } from "./deployment.ts";

type Before = Deployment["parameters"]["before"];

/** The contracts in use and those that were replaced. */
export type Generations = Pick<Deployment, "contracts" | "previous">;
type Contracts = Generations & { parameters: { before: Before } };

/** Where a contract has been, the present one last. */
export function addressesOf({ contracts, previous }: Generations, name: ContractName): Address[] {
  const before = previous.flatMap((entry) => entry.contracts[name] ?? []);
  return [...before, contracts[name]];
}

/** The same with their numbers, as rows of schema chain have them: from 1. */
export function generationsOf(
  deployment: Generations,
  name: ContractName,
): { generation: number; address: Address }[] {
  return addressesOf(deployment, name).map((address, position) => ({ generation: position + 1, address }));
}

/** The number of the contract in use: 1 where it never replaced another. */
export function generationOf(deployment: Generations, name: ContractName): number {
  return addressesOf(deployment, name).length;
}

/** What a call or a message says of itself that tells whose it is: each generation's ids begin above those before it. */
export type Ids = {
  workspaceId?: unknown;
  authorizationId?: unknown;
  roundId?: unknown;
  /** Of rewards. */
  epoch?: unknown;
  /** Of receipts. */
  batch?: unknown;
};

const workspaces = { workspaceId: "workspaces" } as const;
/** The ids that each contract is told by, and where a generation's begin. */
const idFields: Partial<Record<ContractName, Partial<Record<keyof Ids, keyof Before>>>> = {
  DockerContract: workspaces,
  Progress: workspaces,
  Escrow: { ...workspaces, authorizationId: "authorizations" },
  Measure: { roundId: "rounds" },
  // By a workspace: the last one at the escrow that the workspace is paid from.
  Pomc: { ...workspaces, epoch: "epochs", batch: "batches" },
};

/**
 * The contract that knows these ids: the present one, or one that was replaced and goes on with what it began. Without such an
 * id it is the present one.
 */
export function addressFor(deployment: Contracts, name: ContractName, ids: Ids): Address {
  const present = deployment.contracts[name];
  for (const [field, begin] of Object.entries(idFields[name] ?? {}) as [keyof Ids, keyof Before][]) {
    const id = ids[field];
    if (typeof id !== "bigint") continue;
    if (id > BigInt(deployment.parameters.before[begin])) return present;
    const own = deployment.previous.filter(({ contracts }) => contracts[name] !== undefined);
    const entry = own.findLast(({ parameters }) => id > BigInt(parameters.before[begin]));
    return entry?.contracts[name] ?? present;
  }
  return present;
}

/** Items by the contract that each goes to, in their order: a batch may be of several generations, a call is of one. */
export function byContract<Item>(
  deployment: Contracts,
  name: ContractName,
  items: readonly Item[],
  idsOf: (item: Item) => Ids,
): Map<Address, Item[]> {
  return Map.groupBy(items, (item) => addressFor(deployment, name, idsOf(item)));
}
