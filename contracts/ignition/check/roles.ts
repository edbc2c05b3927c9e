import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type Abi, type Address, getAddress, toFunctionSelector } from "viem";
import { holdersOf } from "../Ngpu.ts";
import type { NgpuParameters } from "../parameters.ts";
import { adminRole, deployerRoles, guardianRole, roles } from "../roles.ts";
import type { ChainReader, PastEvent } from "./history.ts";
import { difference } from "./settings.ts";

type Contracts = Record<ContractName, Address>;

/** Compares the holders, delays and functions of each role with roles.ts and the parameters. */
export async function roleErrors(options: {
  client: ChainReader;
  contracts: Contracts;
  /** Replaced contracts, whose functions keep their roles. */
  previous: readonly { name: ContractName; address: Address }[];
  abis: Record<ContractName, Abi>;
  parameters: NgpuParameters;
  events: readonly PastEvent[];
}): Promise<string[]> {
  const { client, contracts, abis, parameters, events } = options;
  const deployer = events.find(({ name }) => name === "RoleGranted")?.args.account;
  const held = membersOf(events);
  const expected = expectedMembers(parameters, String(deployer));
  const read = <Name extends "getTargetFunctionRole" | "getRoleGuardian" | "getRoleAdmin" | "isTargetClosed">(
    functionName: Name,
    args: readonly unknown[],
  ) =>
    client.readContract({
      address: contracts.AccessManager,
      abi: managerAbi as Abi,
      functionName,
      args,
    }) as Promise<unknown>;
  const errors = difference("role", held, expected);
  for (const { id, label } of roles) {
    const guardian = await read("getRoleGuardian", [id]);
    const should = id === guardianRole ? adminRole : guardianRole;
    if (guardian !== should) errors.push(`${label}: guardian is role ${guardian}, expected ${should}`);
    const admin = await read("getRoleAdmin", [id]);
    if (admin !== adminRole) errors.push(`${label}: admin is role ${admin}, expected ADMIN`);
  }
  for (const name of Object.keys(abis) as ContractName[]) {
    errors.push(...(await contractErrors(name, contracts[name])));
  }
  for (const { name, address } of options.previous) {
    const found = await contractErrors(name, address);
    errors.push(...found.map((error) => `${error} (at ${address}, which was replaced)`));
  }
  return errors;

  async function contractErrors(name: ContractName, address: Address): Promise<string[]> {
    const found: string[] = [];
    if (await read("isTargetClosed", [address])) found.push(`${name} is closed`);
    if (name !== "AccessManager") {
      const authority = await client.readContract({ address, abi: abis[name], functionName: "authority" });
      if (authority !== getAddress(contracts.AccessManager))
        found.push(`${name} has the authority ${authority}`);
    }
    for (const item of abis[name]) {
      if (item.type !== "function" || item.stateMutability === "view" || item.stateMutability === "pure")
        continue;
      const selector = toFunctionSelector(item);
      const role = await read("getTargetFunctionRole", [address, selector]);
      const should = roleOf(name, selector);
      if (role !== should) found.push(`${name}.${item.name} is callable by role ${role}, expected ${should}`);
    }
    return found;
  }
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
