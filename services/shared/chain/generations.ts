import type { Address } from "viem";
import type { ContractName, Deployment } from "./deployment.ts";

type Contracts = Pick<Deployment, "contracts" | "former"> & {
  parameters: Pick<Deployment["parameters"], "before">;
};

/** Where a contract has been, the present one last. */
export function addressesOf(
  { contracts, former }: Pick<Contracts, "contracts" | "former">,
  name: ContractName,
): Address[] {
  const before = former.flatMap((entry) => entry.contracts[name] ?? []);
  return [...before, contracts[name]];
}

/** The number of the contract in use, as rows of schema chain have it: 1 where it never replaced another. */
export function generationOf(contracts: Pick<Contracts, "contracts" | "former">, name: ContractName): number {
  return addressesOf(contracts, name).length;
}

/** What a message says of itself that tells whose it is: each generation's ids begin above those before it. */
export type Ids = { workspaceId?: unknown; roundId?: unknown };

/**
 * The contract that knows these ids: the present one, or one that was replaced and goes on with what it began. Messages
 * without such an id belong to the present one.
 */
export function addressFor(deployment: Contracts, name: ContractName, ids: Ids): Address {
  const id = name === "Measure" ? ids.roundId : ids.workspaceId;
  const field = name === "Measure" ? "rounds" : "workspaces";
  if (typeof id !== "bigint" || id > BigInt(deployment.parameters.before[field]))
    return deployment.contracts[name];
  const own = deployment.former.filter(({ contracts }) => contracts[name] !== undefined);
  const entry = own.findLast(({ parameters }) => id > BigInt(parameters.before[field]));
  return entry?.contracts[name] ?? deployment.contracts[name];
}
