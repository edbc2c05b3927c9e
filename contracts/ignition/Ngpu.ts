import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { toFunctionSelector } from "viem";
import type { NgpuParameters } from "./parameters.ts";
import { adminRole, operations, roles } from "./roles.ts";

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];

/**
 * The market's contracts, wired and with their roles given. Ignition sends what does not depend on each other in one
 * block, so that all takes five blocks; it never does a step again that its journal has.
 */
export function ngpuModule(parameters: NgpuParameters) {
  return buildModule("Ngpu", (m) => {
    const contracts = deployContracts(m, parameters);
    wire(m, contracts, parameters);
    giveRoles(m, contracts, parameters);
    return contracts;
  });
}

type Contracts = ReturnType<typeof deployContracts>;

function deployContracts(m: Builder, parameters: NgpuParameters) {
  const { slotSeconds, heartbeatWindowSeconds } = parameters;
  const AccessManager = m.contract("Manager", [m.getAccount(0)], { id: "AccessManager" });
  const Token = m.contract("Token", [
    AccessManager,
    parameters.treasury,
    parameters.cap,
    parameters.genesisSupply,
  ]);
  const windowSlots = Math.min(4096, Math.max(1, Math.floor(heartbeatWindowSeconds / slotSeconds)));
  const ComputeNode = m.contract("ComputeNode", [
    AccessManager,
    {
      slotSeconds,
      windowSlots,
      daySeconds: parameters.daySeconds,
      uptimeDelay: parameters.uptimeDelay,
      registrationLimit: parameters.registrationLimit,
      registrationSeconds: parameters.registrationSeconds,
    },
  ]);
  const Escrow = m.contract("Escrow", [AccessManager, Token, ComputeNode, parameters.feeBasisPoints]);
  const Measure = m.contract("Measure", [
    AccessManager,
    ComputeNode,
    {
      quorum: parameters.quorum,
      draws: parameters.measureDraws ?? Math.min(8, 2 * parameters.quorum - 1),
      openToAll: parameters.openMeasurers,
      leadSeconds: parameters.measureLeadSeconds,
      windowSeconds: parameters.measureWindowSeconds,
      ttlSeconds: parameters.measureTtlSeconds,
    },
  ]);
  const Pomc = m.contract("Pomc", [
    AccessManager,
    Token,
    Escrow,
    {
      genesis: parameters.genesis,
      epochSeconds: parameters.epochSeconds,
      activationDelay: parameters.activationDelay,
      emissionPerEpoch: parameters.emissionPerEpoch,
    },
  ]);
  const DockerContract = m.contract("DockerContract", [
    AccessManager,
    ComputeNode,
    Escrow,
    parameters.clockMarginSeconds,
  ]);
  const Progress = m.contract("Progress", [AccessManager, ComputeNode, DockerContract]);
  return { AccessManager, ComputeNode, DockerContract, Progress, Measure, Escrow, Pomc, Token };
}

/** Contracts that call each other, and the accounts that call them often. */
function wire(m: Builder, contracts: Contracts, parameters: NgpuParameters): void {
  const { ComputeNode, DockerContract, Escrow, Measure, Pomc, Token } = contracts;
  m.call(ComputeNode, "setDocker", [DockerContract]);
  m.call(ComputeNode, "setMeasure", [Measure]);
  m.call(ComputeNode, "setUptimePoster", [parameters.poster, true]);
  m.call(Escrow, "setDocker", [DockerContract]);
  m.call(Token, "setMinter", [Pomc]);
  m.call(Pomc, "setPoster", [parameters.poster]);
  for (const account of new Set(parameters.committers)) {
    m.call(ComputeNode, "setHeartbeatCommitter", [account, true], { id: `committer_${account}` });
  }
  for (const account of new Set(parameters.keepers)) {
    m.call(DockerContract, "setKeeper", [account, true], { id: `keeper_${account}` });
  }
  for (const account of new Set(parameters.measureKeepers)) {
    m.call(Measure, "setMeasureKeeper", [account, true], { id: `measure_keeper_${account}` });
  }
}

function giveRoles(m: Builder, contracts: Contracts, parameters: NgpuParameters): void {
  const { AccessManager } = contracts;
  const { admin, operations: operator = admin, guardian, unpauser = admin } = parameters;
  const holders = { operations: operator, guardian, unpauser };
  const delays = { operations: 0, guardian: 0, unpauser: parameters.unpauseDelaySeconds };
  for (const role of roles) {
    m.call(AccessManager, "labelRole", [role.id, role.label], { id: `label_${role.label}` });
    for (const [name, signatures] of Object.entries(role.may)) {
      const selectors = signatures.map((signature: string) => toFunctionSelector(signature));
      m.call(
        AccessManager,
        "setTargetFunctionRole",
        [contracts[name as keyof Contracts], selectors, role.id],
        {
          id: `function_role_${role.label}_${name}`,
        },
      );
    }
    const holder = holders[role.label];
    if (holder !== undefined) {
      m.call(AccessManager, "grantRole", [role.id, holder, delays[role.label]], {
        id: `grant_${role.label}`,
      });
    }
  }
  // Functions and their roles are set in one block in any order, so the deployer may call them with or without the role.
  m.call(AccessManager, "grantRole", [operations.id, m.getAccount(0), 0], { id: "grant_deployer" });
  if (parameters.admin !== undefined) {
    m.call(AccessManager, "grantRole", [adminRole, parameters.admin, 0], { id: "grant_admin" });
  }
}
