import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import type { Address } from "viem";
import { artifactOf, artifactWith, constructorArguments, contractNames } from "./constructors.ts";
import type { NgpuParameters } from "./parameters.ts";
import type { RoleCall } from "./succession.ts";
import { type Succession, successions } from "./successionParameters.ts";

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];
type Contract = Parameters<Builder["call"]>[0];

/** Deploys the contracts of a succession, with the addresses of those that stay. */
export function successorModule(
  generation: number,
  succession: Succession,
  parameters: NgpuParameters,
  previous: Record<ContractName, Address>,
) {
  return buildModule(`NgpuGeneration${generation}`, (m) => {
    const contracts: Record<ContractName, Address | Contract> = { ...previous };
    const successors: Record<string, Contract> = {};
    const names: readonly ContractName[] = successions[succession];
    for (const name of contractNames.filter((known) => names.includes(known))) {
      const args = constructorArguments(name, parameters, contracts, m.getAccount(0));
      const successor = m.contract(artifactOf(name), args as never, { id: name });
      contracts[name] = successor;
      successors[name] = successor;
    }
    return successors as Record<string, ReturnType<typeof m.contract>>;
  });
}

/** Makes the calls of roles that the deployer holds, one after the other. */
export function introductionModule(generation: number, calls: readonly RoleCall[]) {
  return buildModule(`NgpuGeneration${generation}Introduction`, (m) => {
    const targets = new Map<string, Contract>();
    let last: ReturnType<Builder["call"]> | undefined;
    for (const [index, { contract, to, name, args }] of calls.entries()) {
      const artifact = artifactWith(contract, name);
      const id = `${artifact}_at_${to}`;
      const target = targets.get(id) ?? m.contractAt(artifact, to, { id });
      targets.set(id, target);
      const after = last === undefined ? [] : [last];
      last = m.call(target, name, args as never, { id: `call_${index}_${name}`, after });
    }
    return {};
  });
}
