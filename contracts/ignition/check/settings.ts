import { type Address, getAddress } from "viem";
import type { ContractName } from "../../../services/shared/chain/deployment.ts";
import type { NgpuParameters } from "../parameters.ts";
import type { PastEvent } from "./history.ts";

type Contracts = Record<ContractName, Address>;

/** Compares who calls what often, and which contract which, with the parameters. */
export function settingFaults(
  parameters: NgpuParameters,
  contracts: Contracts,
  events: readonly PastEvent[],
): string[] {
  const { poster, committers, keepers, measureKeepers } = parameters;
  const last = (of: ContractName, event: string, expected: Address) => {
    const set = events.findLast(
      ({ name, address }) => name === event && address === getAddress(contracts[of]),
    );
    const [actual] = Object.values(set?.args ?? {});
    return actual === getAddress(expected) ? [] : [`${of}: ${event} is ${actual}, not ${expected}`];
  };
  const allowed = (of: ContractName, event: string, expected: readonly Address[]) => {
    const members = new Set<string>();
    for (const { name, address, args } of events) {
      if (name !== event || address !== getAddress(contracts[of])) continue;
      if (args.allowed) members.add(String(args.account));
      else members.delete(String(args.account));
    }
    return difference(`${of}: ${event}`, members, new Set(expected.map((account) => getAddress(account))));
  };
  return [
    ...last("ComputeNode", "DockerSet", contracts.DockerContract),
    ...last("ComputeNode", "MeasureSet", contracts.Measure),
    ...last("Escrow", "DockerSet", contracts.DockerContract),
    ...last("Token", "MinterSet", contracts.Pomc),
    ...last("Pomc", "PosterSet", poster),
    ...allowed("ComputeNode", "UptimePosterSet", [poster]),
    ...allowed("ComputeNode", "HeartbeatCommitterSet", committers),
    ...allowed("DockerContract", "KeeperSet", keepers),
    ...allowed("Measure", "MeasureKeeperSet", measureKeepers),
  ];
}

/** What one set has beyond the other, as faults. */
export function difference(subject: string, actual: Set<string>, expected: Set<string>): string[] {
  return [
    ...[...actual]
      .filter((member) => !expected.has(member))
      .map((member) => `${subject}: ${member} should not be there`),
    ...[...expected]
      .filter((member) => !actual.has(member))
      .map((member) => `${subject}: ${member} is missing`),
  ];
}
