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
      const account = String(args.account ?? args.measure);
      if (args.allowed) members.add(account);
      else members.delete(account);
    }
    return difference(`${of}: ${event}`, members, new Set(expected.map((account) => getAddress(account))));
  };
  return [
    ...difference("ComputeNode: dockers", dockersOf(events), new Set([dockerOf(contracts.DockerContract)])),
    ...allowed("ComputeNode", "MeasureSet", [contracts.Measure]),
    ...last("Escrow", "DockerSet", contracts.DockerContract),
    ...difference("Token: minters", mintersOf(events), new Set([minterOf(contracts.Pomc, parameters.cap)])),
    ...last("Pomc", "PosterSet", poster),
    ...allowed("ComputeNode", "UptimePosterSet", [poster]),
    ...allowed("ComputeNode", "HeartbeatCommitterSet", committers),
    ...allowed("DockerContract", "KeeperSet", keepers),
    ...allowed("Measure", "MeasureKeeperSet", measureKeepers),
  ];
}

const dockerOf = (docker: unknown) => `${getAddress(String(docker))} reserves`;

/** The contracts that may reserve capacity, of the ComputeNode there is one of. */
function dockersOf(events: readonly PastEvent[]): Set<string> {
  const dockers = new Set<string>();
  for (const { name, args } of events) {
    if (name === "DockerAdded") dockers.add(dockerOf(args.docker));
    if (name === "DockerRetired") dockers.delete(dockerOf(args.docker));
  }
  return dockers;
}

const minterOf = (minter: unknown, limit: unknown) => `${getAddress(String(minter))} up to ${limit}`;

function mintersOf(events: readonly PastEvent[]): Set<string> {
  const set = events.filter(({ name }) => name === "MinterSet").map(({ args }) => args);
  const limits = new Map(set.map(({ minter, limit }) => [minter, limit]));
  return new Set([...limits].flatMap(([minter, limit]) => (limit ? [minterOf(minter, limit)] : [])));
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
