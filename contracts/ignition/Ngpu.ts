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
 * Deploys the market's contracts, connects them and grants the roles. Where an admin is configured, the deployer then
 * renounces its roles. Ignition sends independent steps in one block and never repeats a step that is in its journal.
 */
export function ngpuModule(parameters: NgpuParameters) {
  return buildModule("Ngpu", (m) => {
    const contracts = deployContracts(m, parameters);
    const calls = [...connect(m, contracts, parameters), ...grantRoles(m, contracts, parameters)];
    if (parameters.admin !== undefined) handOver(m, contracts, calls);
    return contracts;
  });
}

function deployContracts(m: Builder, parameters: NgpuParameters): Contracts {
  const contracts = {} as Contracts;
  for (const name of contractNames) {
    // In this order each contract's dependencies are already deployed.
    const args = constructorArguments(name, parameters, contracts, m.getAccount(0));
    contracts[name] = m.contract(artifactOf(name), args as never, { id: name });
  }
  return contracts;
}

/** Connects the contracts and appoints their frequent callers. */
function connect(m: Builder, contracts: Contracts, parameters: NgpuParameters): Call[] {
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

/** The holder and the delay of each role. The deployer holds a role without a configured account. */
export function holdersOf(parameters: NgpuParameters) {
  const { admin, guardian, operations = admin, unpauser = admin, delays } = parameters;
  return {
    operations: { account: operations, delay: delays.operations },
    guardian: { account: guardian, delay: 0 },
    unpauser: { account: unpauser, delay: delays.unpauser },
    governance: { account: admin, delay: delays.admin },
  } satisfies Record<RoleLabel, { account: string | undefined; delay: number }>;
}

function grantRoles(m: Builder, contracts: Contracts, parameters: NgpuParameters): Call[] {
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
  // Sent with the contracts, so before the calls that need them.
  const unassigned = roles.filter(({ label }) => holders[label].account === undefined);
  for (const { id, label } of new Set([...deployerRoles, ...unassigned])) {
    const args = [id, m.getAccount(0), 0];
    calls.push(m.call(AccessManager, "grantRole", args, { id: `grant_deployer_${label}` }));
  }
  if (parameters.admin !== undefined) {
    const args = [adminRole, parameters.admin, parameters.delays.admin];
    calls.push(m.call(AccessManager, "grantRole", args, { id: "grant_admin" }));
  }
  return calls;
}

/** The deployer renounces every role, ADMIN last, after all calls that need it. */
function handOver(m: Builder, { AccessManager }: Contracts, calls: Call[]): void {
  const renounce = (role: bigint, label: string, after: Call[]) =>
    m.call(AccessManager, "renounceRole", [role, m.getAccount(0)], { id: `renounce_${label}`, after });
  const renounced = deployerRoles.map(({ id, label }) => renounce(id, label, calls));
  renounce(adminRole, "admin", [...calls, ...renounced]);
}
