import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type Abi, type Address, getAddress, toFunctionSelector } from "viem";
import type { NgpuParameters } from "../parameters.ts";
import { adminRole, deployerRoles, guardianRole, roles } from "../roles.ts";
import { holdersOf } from "../steps.ts";
import type { ChainReader, PastEvent } from "./history.ts";
import { difference } from "./settings.ts";

type Contracts = Record<ContractName, Address>;

type Abis = Record<ContractName, Abi>;

/** Reads the settings of an AccessManager. */
type ManagerReader = (
  functionName: "getTargetFunctionRole" | "getRoleGuardian" | "getRoleAdmin" | "isTargetClosed",
  args: readonly unknown[],
) => Promise<unknown>;

/** Compares the holders, delays and functions of each role with roles.ts and the parameters. */
export async function roleErrors(options: {
  client: ChainReader;
  contracts: Contracts;
  /** Replaced contracts, whose functions keep their roles. */
  previous: readonly { name: ContractName; address: Address }[];
  abis: Abis;
  parameters: NgpuParameters;
  events: readonly PastEvent[];
}): Promise<string[]> {
  const { client, contracts, previous, abis, parameters, events } = options;
  const deployer = events.find(({ name }) => name === "RoleGranted")?.args.account;
  const read = managerReader(client, contracts.AccessManager);
  const errors = difference("role", membersOf(events), expectedMembers(parameters, String(deployer)));
  errors.push(...(await guardianErrors(read)));
  const errorsAt = async (name: ContractName, address: Address) => [
    ...(await accessErrors(read, name, address)),
    ...(await authorityErrors({ client, manager: contracts.AccessManager, abi: abis[name] }, name, address)),
    ...(await functionErrors(read, abis[name], name, address)),
  ];
  for (const name of Object.keys(abis) as ContractName[]) {
    errors.push(...(await errorsAt(name, contracts[name])));
  }
  for (const { name, address } of previous) {
    const found = await errorsAt(name, address);
    errors.push(...found.map((error) => `${error} (at ${address}, which was replaced)`));
  }
  return errors;
}

function managerReader(client: ChainReader, address: Address): ManagerReader {
  const abi = managerAbi as Abi;
  return (functionName, args) =>
    client.readContract({ address, abi, functionName, args }) as Promise<unknown>;
}

async function guardianErrors(read: ManagerReader): Promise<string[]> {
  const errors: string[] = [];
  for (const { id, label } of roles) {
    const guardian = await read("getRoleGuardian", [id]);
    const should = id === guardianRole ? adminRole : guardianRole;
    if (guardian !== should) errors.push(`${label}: guardian is role ${guardian}, expected ${should}`);
    const admin = await read("getRoleAdmin", [id]);
    if (admin !== adminRole) errors.push(`${label}: admin is role ${admin}, expected ADMIN`);
  }
  return errors;
}

async function accessErrors(read: ManagerReader, name: ContractName, address: Address): Promise<string[]> {
  return (await read("isTargetClosed", [address])) ? [`${name} is closed`] : [];
}

async function authorityErrors(
  { client, manager, abi }: { client: ChainReader; manager: Address; abi: Abi },
  name: ContractName,
  address: Address,
): Promise<string[]> {
  if (name === "AccessManager") return [];
  const authority = await client.readContract({ address, abi, functionName: "authority" });
  return authority === getAddress(manager) ? [] : [`${name} has the authority ${authority}`];
}

/** Compares the role that may call each function that changes state. */
async function functionErrors(
  read: ManagerReader,
  abi: Abi,
  name: ContractName,
  address: Address,
): Promise<string[]> {
  const errors: string[] = [];
  for (const item of abi) {
    if (item.type !== "function" || item.stateMutability === "view" || item.stateMutability === "pure")
      continue;
    const selector = toFunctionSelector(item);
    const role = await read("getTargetFunctionRole", [address, selector]);
    const should = roleOf(name, selector);
    if (role !== should) errors.push(`${name}.${item.name} is callable by role ${role}, expected ${should}`);
  }
  return errors;
}

/** The role of a function; ADMIN by default. */
export function roleOf(name: ContractName, selector: string): bigint {
  const role = roles.find(({ may }) =>
    (may[name] ?? []).some((signature: string) => toFunctionSelector(signature) === selector),
  );
  return role?.id ?? adminRole;
}

const labelOf = (id: bigint) =>
  roles.find((role) => role.id === id)?.label ?? (id === adminRole ? "ADMIN" : `${id}`);

function memberOf(id: bigint, account: string, delay: number): string {
  return `${labelOf(id)} of ${getAddress(account)} after ${delay} s`;
}

function membersOf(events: readonly PastEvent[]): Set<string> {
  const members = new Map<string, string>();
  for (const { name, args } of events) {
    const { roleId, account, delay } = args as { roleId: bigint; account: string; delay: number };
    if (name === "RoleGranted") members.set(`${roleId} ${account}`, memberOf(roleId, account, delay));
    if (name === "RoleRevoked") members.delete(`${roleId} ${account}`);
  }
  return new Set(members.values());
}

function expectedMembers(parameters: NgpuParameters, deployer: string): Set<string> {
  const { admin, delays } = parameters;
  const holders = holdersOf(parameters);
  const expected = roles.flatMap(({ id, label }) => {
    const { account, delay } = holders[label];
    return account === undefined ? [] : [memberOf(id, account, delay)];
  });
  if (admin !== undefined) return new Set([...expected, memberOf(adminRole, admin, delays.admin)]);
  const unheld = roles.filter(({ label }) => holders[label].account === undefined);
  const kept = [...deployerRoles, ...unheld].map(({ id }) => memberOf(id, deployer, 0));
  return new Set([...expected, ...kept, memberOf(adminRole, deployer, 0)]);
}
