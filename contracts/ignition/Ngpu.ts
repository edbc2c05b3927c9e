import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { toFunctionSelector } from "viem";
import { artifactOf, constructorArguments, contractNames } from "./constructors.ts";
import type { NgpuParameters } from "./parameters.ts";
import { adminRole, deployerRoles, guardianRole, type RoleLabel, roles } from "./roles.ts";

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];
type Contract = Parameters<Builder["call"]>[0];
type Contracts = Record<ContractName, Contract>;
type Call = ReturnType<Builder["call"]>;

/**
 * The market's contracts, wired and with their roles given; at the end the deployer hands over, where an admin is named.
 * Ignition sends what does not depend on each other in one block; it never does a step again that its journal has.
 */
export function ngpuModule(parameters: NgpuParameters) {
  return buildModule("Ngpu", (m) => {
    const contracts = deployContracts(m, parameters);
    const calls = [...wire(m, contracts, parameters), ...giveRoles(m, contracts, parameters)];
    if (parameters.admin !== undefined) handOver(m, contracts, calls);
    return contracts;
  });
}

function deployContracts(m: Builder, parameters: NgpuParameters): Contracts {
  const contracts = {} as Contracts;
  for (const name of contractNames) {
    // They come in an order in which each finds those before it.
    const args = constructorArguments(name, parameters, contracts, m.getAccount(0));
    contracts[name] = m.contract(artifactOf(name), args as never, { id: name });
  }
  return contracts;
}

/** Contracts that call each other, and the accounts that call them often. */
function wire(m: Builder, contracts: Contracts, parameters: NgpuParameters): Call[] {
  const { ComputeNode, DockerContract, Escrow, Measure, Pomc, Token } = contracts;
  const allow = (to: Contract, name: string, id: string, accounts: readonly string[]) =>
    [...new Set(accounts)].map((account) => m.call(to, name, [account, true], { id: `${id}_${account}` }));
  return [
    m.call(ComputeNode, "addDocker", [DockerContract]),
    m.call(ComputeNode, "setMeasure", [Measure, true]),
    m.call(ComputeNode, "setUptimePoster", [parameters.poster, true]),
    m.call(Escrow, "setDocker", [DockerContract]),
    m.call(Token, "setMinter", [Pomc, parameters.cap]),
    m.call(Pomc, "setPoster", [parameters.poster]),
    ...allow(ComputeNode, "setHeartbeatCommitter", "committer", parameters.committers),
    ...allow(DockerContract, "setKeeper", "keeper", parameters.keepers),
    ...allow(Measure, "setMeasureKeeper", "measure_keeper", parameters.measureKeepers),
  ];
}

/** Who holds which role, and how long after saying so it acts. The deployer stands in where nobody is named. */
export function holdersOf(parameters: NgpuParameters) {
  const { admin, guardian, operations = admin, unpauser = admin, delays } = parameters;
  return {
    operations: { account: operations, delay: delays.operations },
    guardian: { account: guardian, delay: 0 },
    unpauser: { account: unpauser, delay: delays.unpauser },
    governance: { account: admin, delay: delays.admin },
  } satisfies Record<RoleLabel, { account: string | undefined; delay: number }>;
}

function giveRoles(m: Builder, contracts: Contracts, parameters: NgpuParameters): Call[] {
  const { AccessManager } = contracts;
  const holders = holdersOf(parameters);
  const calls: Call[] = [];
  for (const role of roles) {
    const { id, label } = role;
    calls.push(m.call(AccessManager, "labelRole", [id, label], { id: `label_${label}` }));
    if (id !== guardianRole) {
      calls.push(m.call(AccessManager, "setRoleGuardian", [id, guardianRole], { id: `guardian_${label}` }));
    }
    for (const [name, signatures] of Object.entries(role.may)) {
      const selectors = signatures.map((signature: string) => toFunctionSelector(signature));
      const args = [contracts[name as ContractName], selectors, id];
      calls.push(
        m.call(AccessManager, "setTargetFunctionRole", args, { id: `function_role_${label}_${name}` }),
      );
    }
    const { account, delay } = holders[label];
    if (account !== undefined) {
      calls.push(m.call(AccessManager, "grantRole", [id, account, delay], { id: `grant_${label}` }));
    }
  }
  // Sent with the contracts, so before what needs them.
  const unheld = roles.filter(({ label }) => holders[label].account === undefined);
  for (const { id, label } of new Set([...deployerRoles, ...unheld])) {
    const args = [id, m.getAccount(0), 0];
    calls.push(m.call(AccessManager, "grantRole", args, { id: `grant_deployer_${label}` }));
  }
  if (parameters.admin !== undefined) {
    const args = [adminRole, parameters.admin, parameters.delays.admin];
    calls.push(m.call(AccessManager, "grantRole", args, { id: "grant_admin" }));
  }
  return calls;
}

/** The deployer keeps nothing; ADMIN goes last, once all that needed it is done. */
function handOver(m: Builder, { AccessManager }: Contracts, calls: Call[]): void {
  const renounce = (role: bigint, label: string, after: Call[]) =>
    m.call(AccessManager, "renounceRole", [role, m.getAccount(0)], { id: `renounce_${label}`, after });
  const given = deployerRoles.map(({ id, label }) => renounce(id, label, calls));
  renounce(adminRole, "admin", [...calls, ...given]);
}
