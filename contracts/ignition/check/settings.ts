import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { type Address, getAddress } from "viem";
import type { NgpuParameters } from "../parameters.ts";
import type { Generation } from "./generations.ts";
import type { PastEvent } from "./history.ts";

type Contracts = Record<ContractName, Address>;

/** Compares the frequent callers and the connections of the contracts with the parameters. */
export function settingErrors(
  parameters: NgpuParameters,
  contracts: Contracts,
  events: readonly PastEvent[],
  generations: readonly Generation[] = [],
): string[] {
  const { poster, receiptsPoster, watchers, committers, acknowledgers, cosigners } = parameters;
  const { keepers, witnesses, measureKeepers } = parameters;
  const previousOf = (name: ContractName) =>
    generations.flatMap(({ replaced, at }) => (replaced.includes(name) ? [at[name]] : []));
  const last = (of: ContractName, event: string, expected: Address, at = contracts) =>
    lastErrors(events, { of, event, at: at[of] }, expected);
  const allowed = (
    of: ContractName,
    event: string,
    expected: readonly Address[],
    may: readonly Address[] = [],
  ) => memberErrors(events, { of, event, at: contracts[of] }, expected, may);
  return [
    ...difference(
      "ComputeNode: dockers",
      without(dockersOf(events), previousOf("DockerContract").map(dockerOf)),
      new Set([dockerOf(contracts.DockerContract)]),
    ),
    ...allowed("ComputeNode", "MeasureSet", [contracts.Measure], previousOf("Measure")),
    ...last("Escrow", "DockerSet", contracts.DockerContract),
    ...generations.flatMap(({ replaced, at }) =>
      replaced.includes("Escrow") ? last("Escrow", "DockerSet", at.DockerContract, at) : [],
    ),
    ...difference("Token: minters", mintersOf(events), minters(parameters, contracts, generations)),
    ...last("Pomc", "PosterSet", poster),
    ...(receiptsPoster === undefined ? [] : last("Pomc", "ReceiptsPosterSet", receiptsPoster)),
    ...allowed("Pomc", "WatcherSet", watchers),
    ...allowed("ComputeNode", "UptimePosterSet", [poster]),
    ...allowed("ComputeNode", "HeartbeatCommitterSet", committers),
    ...allowed("ComputeNode", "HeartbeatAcknowledgerSet", acknowledgers),
    ...allowed("ComputeNode", "HeartbeatCosignerSet", cosigners),
    ...allowed("DockerContract", "KeeperSet", keepers),
    ...allowed("DockerContract", "WitnessSet", witnesses),
    ...allowed("Measure", "MeasureKeeperSet", measureKeepers),
  ];
}

/** A setting of a contract: the event that announces each change, at the contract's address. */
type Setting = { of: ContractName; event: string; at: Address };

/** Compares the last value of a setting. */
function lastErrors(events: readonly PastEvent[], { of, event, at }: Setting, expected: Address): string[] {
  const set = events.findLast(({ name, address }) => name === event && address === getAddress(at));
  const [actual] = Object.values(set?.args ?? {});
  return actual === getAddress(expected) ? [] : [`${of}: ${event} is ${actual}, not ${expected}`];
}

/** Compares the accounts that a setting allows. Those that it may allow are not compared. */
function memberErrors(
  events: readonly PastEvent[],
  { of, event, at }: Setting,
  expected: readonly Address[],
  may: readonly Address[],
): string[] {
  const members = new Set<string>();
  for (const { name, address, args } of events) {
    if (name !== event || address !== getAddress(at)) continue;
    const account = String(args.account ?? args.measure);
    if (args.allowed) members.add(account);
    else members.delete(account);
  }
  const optional = may.map((account) => getAddress(account));
  return difference(
    `${of}: ${event}`,
    without(members, optional),
    new Set(expected.map((account) => getAddress(account))),
  );
}

const dockerOf = (docker: unknown) => `${getAddress(String(docker))} reserves`;

/** The contracts that may reserve capacity of the only ComputeNode. */
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

/** Each replaced Pomc keeps its schedule's total as its limit. */
function minters(
  parameters: NgpuParameters,
  contracts: Contracts,
  generations: readonly Generation[],
): Set<string> {
  const pomcs = generations.filter(({ replaced }) => replaced.includes("Pomc"));
  const limits = pomcs.map(({ at, parameters: its }, place) => {
    const next = pomcs[place + 1]?.parameters ?? parameters;
    const epochs = BigInt(next.before.epochs - its.before.epochs);
    return { minter: at.Pomc, limit: epochs * its.emissionPerEpoch };
  });
  const paying = limits.filter(({ limit }) => limit > 0n).map(({ minter, limit }) => minterOf(minter, limit));
  return new Set([...paying, minterOf(contracts.Pomc, parameters.cap)]);
}

function without(members: Set<string>, others: readonly string[]): Set<string> {
  return new Set([...members].filter((member) => !others.includes(member)));
}

/** The differences of two sets, as errors. */
export function difference(subject: string, actual: Set<string>, expected: Set<string>): string[] {
  return [
    ...[...actual]
      .filter((member) => !expected.has(member))
      .map((member) => `${subject}: ${member} is unexpected`),
    ...[...expected]
      .filter((member) => !actual.has(member))
      .map((member) => `${subject}: ${member} is missing`),
  ];
}
