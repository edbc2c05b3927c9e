import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { packTerms } from "@ngpu/rewards/terms";
import { defaultRules, packRules } from "@ngpu/waves/rules";
import { toFunctionSelector } from "viem";
import { constructorArguments, contractNames } from "./constructors.ts";
import { type NgpuParameters, rewardTermsOf } from "./parameters.ts";
import { adminRole, deployerRoles, guardianRole, type RoleLabel, roles } from "./roles.ts";

/** Records the steps of a deployment. `Contract`, `Call` and `Deployer` are references to results of steps. */
type StepRecorder<Contract, Call, Deployer> = {
  /** The account that sends the steps. */
  deployer: Deployer;
  contract(name: ContractName, args: readonly unknown[]): Contract;
  call(to: Contract, name: string, args: readonly unknown[], options?: CallOptions<Call>): Call;
};

/** `after` lists the calls that must be made before. */
type CallOptions<Call> = { id?: string; after?: Call[] };

type Contracts<Contract> = Record<ContractName, Contract>;

/**
 * Records the steps that deploy the market's contracts, connect them and grant the roles. Where an admin is configured,
 * the deployer then renounces its roles. In the order in which they are recorded, each step finds what it needs.
 */
export function recordSteps<Contract, Call, Deployer>(
  m: StepRecorder<Contract, Call, Deployer>,
  parameters: NgpuParameters,
): Contracts<Contract> {
  const contracts = deployContracts(m, parameters);
  const calls = [...connect(m, contracts, parameters), ...grantRoles(m, contracts, parameters)];
  if (parameters.admin !== undefined) handOver(m, contracts, calls);
  return contracts;
}

function deployContracts<Contract, Call, Deployer>(
  m: StepRecorder<Contract, Call, Deployer>,
  parameters: NgpuParameters,
): Contracts<Contract> {
  const contracts = {} as Contracts<Contract>;
  for (const name of contractNames) {
    // In this order each contract's dependencies are already deployed.
    contracts[name] = m.contract(name, constructorArguments(name, parameters, contracts, m.deployer));
  }
  return contracts;
}

/** Connects the contracts and appoints their frequent callers. */
function connect<Contract, Call, Deployer>(
  m: StepRecorder<Contract, Call, Deployer>,
  contracts: Contracts<Contract>,
  parameters: NgpuParameters,
): Call[] {
  const { ComputeNode, DockerContract, Escrow, Measure, Pomc, ProofWaves, Token } = contracts;
  const allow = (to: Contract, name: string, id: string, accounts: readonly string[]) =>
    [...new Set(accounts)].map((account) => m.call(to, name, [account, true], { id: `${id}_${account}` }));
  return [
    m.call(ComputeNode, "addDocker", [DockerContract]),
    m.call(ComputeNode, "setMeasure", [Measure, true]),
    m.call(ComputeNode, "setUptimePoster", [parameters.poster, true]),
    m.call(Escrow, "setDocker", [DockerContract]),
    m.call(Token, "setMinter", [Pomc, parameters.cap]),
    m.call(Pomc, "setPoster", [parameters.poster]),
    ...(parameters.receiptsPoster === undefined
      ? []
      : [m.call(Pomc, "setReceiptsPoster", [parameters.receiptsPoster])]),
    m.call(ProofWaves, "setRules", [packRules(defaultRules)]),
    m.call(Pomc, "setTerms", [packTerms(rewardTermsOf(parameters))]),
    ...allow(Pomc, "setWatcher", "watcher", parameters.watchers),
    ...allow(ComputeNode, "setHeartbeatCommitter", "committer", parameters.committers),
    ...allow(ComputeNode, "setHeartbeatAcknowledger", "acknowledger", parameters.acknowledgers),
    ...allow(ComputeNode, "setHeartbeatCosigner", "cosigner", parameters.cosigners),
    ...allow(DockerContract, "setKeeper", "keeper", parameters.keepers),
    ...allow(DockerContract, "setWitness", "witness", parameters.witnesses),
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
    dismissals: { account: operations, delay: 0 },
  } satisfies Record<RoleLabel, { account: string | undefined; delay: number }>;
}

function grantRoles<Contract, Call, Deployer>(
  m: StepRecorder<Contract, Call, Deployer>,
  contracts: Contracts<Contract>,
  parameters: NgpuParameters,
): Call[] {
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
    const args = [id, m.deployer, 0];
    calls.push(m.call(AccessManager, "grantRole", args, { id: `grant_deployer_${label}` }));
  }
  if (parameters.admin !== undefined) {
    const args = [adminRole, parameters.admin, parameters.delays.admin];
    calls.push(m.call(AccessManager, "grantRole", args, { id: "grant_admin" }));
  }
  return calls;
}

/** The deployer renounces every role, ADMIN last, after all calls that need it. */
function handOver<Contract, Call, Deployer>(
  m: StepRecorder<Contract, Call, Deployer>,
  { AccessManager }: Contracts<Contract>,
  calls: Call[],
): void {
  const renounce = (role: bigint, label: string, after: Call[]) =>
    m.call(AccessManager, "renounceRole", [role, m.deployer], { id: `renounce_${label}`, after });
  const renounced = deployerRoles.map(({ id, label }) => renounce(id, label, calls));
  renounce(adminRole, "admin", [...calls, ...renounced]);
}
