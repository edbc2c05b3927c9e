import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { artifactOf } from "./constructors.ts";
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
  return buildModule("Ngpu", (m) =>
    recordSteps<Contract, Call, ReturnType<Builder["getAccount"]>>(
      {
        deployer: m.getAccount(0),
        contract: (name, args) => m.contract(artifactOf(name), args as never, { id: name }),
        call: (to, name, args, options) => m.call(to, name, args as never, options as never),
      },
      parameters,
    ),
  );
}
