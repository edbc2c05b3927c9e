import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { artifactOf, artifactWith } from "./constructors.ts";
import type { NgpuParameters } from "./parameters.ts";
import { recordSteps } from "./steps.ts";

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];
type Contract = Parameters<Builder["call"]>[0];
type Call = ReturnType<Builder["call"]>;

/**
 * The market's deployment as a module of Ignition, which sends independent steps in one block and never repeats a step
 * that is in its journal.
 */
export function ngpuModule(parameters: NgpuParameters) {
  return buildModule("Ngpu", (m) => {
    const names = new Map<Contract, ContractName>();
    const extensions = new Map<Contract, Contract>();
    /** The contract as its part that has the function. */
    const partWith = (to: Contract, functionName: string): Contract => {
      const name = names.get(to);
      const artifact = name && artifactWith(name, functionName);
      if (name === undefined || artifact === undefined || artifact === artifactOf(name)) return to;
      const part = extensions.get(to) ?? m.contractAt(artifact, to as never, { id: `${name}_extension` });
      extensions.set(to, part);
      return part;
    };
    return recordSteps<Contract, Call, ReturnType<Builder["getAccount"]>>(
      {
        deployer: m.getAccount(0),
        contract: (name, args) => {
          const contract = m.contract(artifactOf(name), args as never, { id: name });
          names.set(contract, name);
          return contract;
        },
        call: (to, name, args, options) => m.call(partWith(to, name), name, args as never, options as never),
      },
      parameters,
    );
  });
}
