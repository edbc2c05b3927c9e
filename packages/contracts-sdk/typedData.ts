import type { Address } from "viem";
import type { ContractName, Deployment } from "./deployment.ts";
import { addressFor, type Ids } from "./generations.ts";

export * from "./typedNodes.ts";

/* EIP-712 types of every signed message, as the contracts hash them. */

export const reportTypes = {
  Report: [
    { name: "workspaceId", type: "uint64" },
    { name: "replica", type: "uint16" },
    { name: "lease", type: "uint32" },
    { name: "fence", type: "bytes8" },
    { name: "state", type: "uint8" },
    { name: "detail", type: "bytes32" },
    { name: "sequence", type: "uint24" },
    { name: "deadline", type: "uint64" },
  ],
} as const;

export const progressReportTypes = {
  ProgressReport: [
    { name: "workspaceId", type: "uint64" },
    { name: "replica", type: "uint16" },
    { name: "lease", type: "uint32" },
    { name: "fence", type: "bytes8" },
    { name: "milestone", type: "uint8" },
    { name: "deadline", type: "uint64" },
  ],
} as const;

export const measurerRegistrationTypes = {
  MeasurerRegistration: [
    { name: "key", type: "address" },
    { name: "wallet", type: "address" },
    { name: "region", type: "bytes2" },
    { name: "deadline", type: "uint64" },
  ],
} as const;

/** Signed by a wallet that accepts the measurer of a key. */
export const measurerConsentTypes = {
  MeasurerConsent: [
    { name: "key", type: "address" },
    { name: "wallet", type: "address" },
  ],
} as const;

export const revealTypes = {
  Reveal: [
    { name: "roundId", type: "uint64" },
    { name: "measurerId", type: "uint32" },
    { name: "draw", type: "uint8" },
    { name: "port", type: "uint16" },
    { name: "salt", type: "bytes32" },
    { name: "proof", type: "bytes32[3]" },
    { name: "result", type: "Measurement" },
    { name: "deadline", type: "uint64" },
  ],
  Measurement: [
    { name: "absent", type: "bool" },
    { name: "downMbps", type: "uint32" },
    { name: "upMbps", type: "uint32" },
    { name: "latencyTenthMs", type: "uint32" },
    { name: "portsReachable", type: "uint16" },
    { name: "diskFreeGib", type: "uint32" },
    { name: "diskWriteMibps", type: "uint32" },
  ],
} as const;

export const authorizationTypes = {
  Authorization: [
    { name: "owner", type: "address" },
    { name: "delegate", type: "address" },
    { name: "maxRate", type: "uint64" },
    { name: "daily", type: "uint96" },
    { name: "total", type: "uint128" },
    { name: "scope", type: "bytes32" },
    { name: "expiry", type: "uint40" },
    { name: "nonce", type: "uint256" },
  ],
} as const;

/** ERC-2612: allows a spender to transfer tokens of the owner. */
export const permitTypes = {
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
} as const;

/** Signed by a node or measurer key to open a session with match or a tunnel to a gateway. Never sent to the chain. */
export const sessionTypes = {
  Session: [
    { name: "key", type: "address" },
    { name: "role", type: "string" },
    { name: "audience", type: "string" },
    { name: "challenge", type: "bytes32" },
    { name: "time", type: "uint64" },
  ],
} as const;

/** Signed by a node's key to get a lease's secrets, sealed for `key`. Never sent to the chain. */
export const secretRequestTypes = {
  SecretRequest: [
    { name: "workspaceId", type: "uint64" },
    { name: "replica", type: "uint16" },
    { name: "lease", type: "uint32" },
    { name: "fence", type: "bytes8" },
    { name: "key", type: "bytes32" },
  ],
} as const;

/** Signed by a measurer's key. */
export const wavePostTypes = {
  WavePost: [
    { name: "waveId", type: "uint32" },
    { name: "measurerId", type: "uint32" },
    { name: "stage", type: "uint8" },
    { name: "root", type: "bytes32" },
  ],
} as const;

/**
 * The EIP-712 domain of a contract of this deployment.
 *
 * @param ids Ids of the message; they select the generation of a replaced contract.
 */
export function domainOf(deployment: Deployment, contract: ContractName, ids: Ids = {}) {
  return {
    name: `ngpu ${contract}`,
    version: "1",
    chainId: deployment.chainId,
    verifyingContract: addressFor(deployment, contract, ids),
  } as const;
}

/** The EIP-712 domain of sessions and tunnels. The address of ComputeNode binds it to the market. */
export function sessionDomainOf(deployment: Deployment) {
  return {
    name: "ngpu session",
    version: "1",
    chainId: deployment.chainId,
    verifyingContract: deployment.contracts.ComputeNode as Address,
  } as const;
}
