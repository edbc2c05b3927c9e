import type { ContractName } from "@ngpu/contracts-sdk/deployment";

export const adminRole = 0n;

type May = Partial<Record<ContractName, readonly string[]>>;

const pausing: ContractName[] = [
  "ComputeNode",
  "DockerContract",
  "Progress",
  "Measure",
  "ProofWaves",
  "Escrow",
  "Pomc",
];
const each = (signature: string): May => Object.fromEntries(pausing.map((name) => [name, [signature]]));

/**
 * Functions of the AccessManager that only ADMIN may call. They are listed under governance so that the guardian may cancel
 * a scheduled call; the listing permits no call. `revokeRole` is not among them: a guardian cannot keep its own role.
 */
const managerFunctions = [
  "labelRole(uint64,string)",
  "grantRole(uint64,address,uint32)",
  "setRoleAdmin(uint64,uint64)",
  "setRoleGuardian(uint64,uint64)",
  "setGrantDelay(uint64,uint32)",
  "setTargetAdminDelay(address,uint32)",
  "setTargetFunctionRole(address,bytes4[],uint64)",
  "setTargetClosed(address,bool)",
  "updateAuthority(address,address)",
];

const operations = {
  id: 1n,
  label: "operations",
  may: {
    ComputeNode: [
      "setHeartbeatCommitter(address,bool)",
      "setHeartbeatAcknowledger(address,bool)",
      "setHeartbeatCosigner(address,bool)",
      "setUptimePoster(address,bool)",
    ],
    DockerContract: ["setKeeper(address,bool)", "setWitness(address,bool)"],
    Measure: ["setMeasureKeeper(address,bool)", "setMeasurersAdmitted(uint32[],bool)"],
    Pomc: ["setPoster(address)", "setReceiptsPoster(address)", "setWatcher(address,bool)"],
  } as May,
} as const;

/** Given to the holder of operations, without a delay: powers end at once. */
const dismissals = {
  id: 5n,
  label: "dismissals",
  may: Object.fromEntries(Object.keys(operations.may).map((name) => [name, ["dismiss(address)"]])) as May,
} as const;

const pauses = each("pause(bytes4[])");
const guardian = {
  id: 2n,
  label: "guardian",
  may: {
    ...pauses,
    ComputeNode: ["disableUptime(uint64)", ...(pauses.ComputeNode ?? [])],
    Pomc: ["disableEpoch(uint64)", ...(pauses.Pomc ?? [])],
  } as May,
} as const;

const unpauser = { id: 3n, label: "unpauser", may: each("unpause(bytes4[])") } as const;

const governance = {
  id: 4n,
  label: "governance",
  may: {
    ComputeNode: ["addDocker(address)", "retireDocker(address)", "setMeasure(address,bool)"],
    Escrow: ["setDocker(address)"],
    Pomc: ["setTerms((uint16,uint16,uint16,uint16,uint96,uint96,uint16,uint16,uint16,bytes32,bytes32[]))"],
    ProofWaves: ["setRules((uint8,uint8,uint8,uint8,uint8,uint8,uint8,uint8,uint16,uint16))"],
    Token: ["setMinter(address,uint96)"],
    AccessManager: managerFunctions,
  } as May,
} as const;

/** Roles of the AccessManager other than role 0, ADMIN, which grants and revokes them. Table: docs/contracts/roles.md. */
export const roles = [operations, guardian, unpauser, governance, dismissals] as const;

/** The role whose holders may cancel what holders of the others have scheduled. */
export const guardianRole = guardian.id;

/** Roles that the deployer needs to connect the contracts. */
export const deployerRoles = [operations, governance] as const;

export type RoleLabel = (typeof roles)[number]["label"];
