import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import type { Address } from "viem";
import { contractNames } from "../constructors.ts";
import type { PreviousContracts } from "../deploy.ts";
import type { NgpuParameters } from "../parameters.ts";

/** A market before some of its contracts were replaced. */
export type Generation = {
  /** From 1. */
  number: number;
  replaced: ContractName[];
  at: Record<ContractName, Address>;
  parameters: NgpuParameters;
};

/** Each earlier state of a market, oldest first, from its current and its replaced contracts. */
export function generationsOf(
  contracts: Record<ContractName, Address>,
  previous: readonly PreviousContracts[],
): Generation[] {
  const generations: Generation[] = [];
  let at = contracts;
  for (const [place, entry] of [...previous.entries()].reverse()) {
    at = { ...at, ...entry.contracts };
    const replaced = contractNames.filter((name) => entry.contracts[name] !== undefined);
    generations.unshift({ number: place + 1, replaced, at, parameters: entry.parameters });
  }
  return generations;
}
