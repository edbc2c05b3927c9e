/* EIP-712 types of the messages that register and change nodes, as ComputeNode and ProofWaves hash them. */

const resources = [
  { name: "gpus", type: "uint8" },
  { name: "cpuMilli", type: "uint24" },
  { name: "memoryMib", type: "uint24" },
  { name: "diskGib", type: "uint16" },
  { name: "ports", type: "uint16" },
] as const;

const nodeSpec = [
  { name: "gpuModel", type: "bytes8" },
  { name: "vramMib", type: "uint24" },
  { name: "computeCapability", type: "uint8" },
  { name: "region", type: "bytes2" },
  { name: "total", type: "Resources" },
] as const;

export const registrationTypes = {
  Registration: [
    { name: "key", type: "address" },
    { name: "wallet", type: "address" },
    { name: "spec", type: "NodeSpec" },
    { name: "pricePerSecond", type: "uint64" },
    { name: "gpuName", type: "string" },
    { name: "gpuUuids", type: "bytes32[]" },
    { name: "deadline", type: "uint64" },
  ],
  NodeSpec: nodeSpec,
  Resources: resources,
} as const;

export const specUpdateTypes = {
  SpecUpdate: [
    { name: "nodeId", type: "uint32" },
    { name: "spec", type: "NodeSpec" },
    { name: "pricePerSecond", type: "uint64" },
    { name: "gpuName", type: "string" },
    { name: "sequence", type: "uint24" },
    { name: "deadline", type: "uint64" },
  ],
  NodeSpec: nodeSpec,
  Resources: resources,
} as const;

export const statusChangeTypes = {
  StatusChange: [
    { name: "nodeId", type: "uint32" },
    { name: "status", type: "uint8" },
    { name: "sequence", type: "uint24" },
    { name: "deadline", type: "uint64" },
  ],
} as const;

export const walletChangeTypes = {
  WalletChange: [
    { name: "nodeId", type: "uint32" },
    { name: "wallet", type: "address" },
    { name: "sequence", type: "uint16" },
    { name: "deadline", type: "uint64" },
  ],
} as const;

/** Signed by a node's wallet and by its new key. */
export const keyChangeTypes = {
  KeyChange: [
    { name: "nodeId", type: "uint32" },
    { name: "key", type: "address" },
    { name: "sequence", type: "uint16" },
    { name: "deadline", type: "uint64" },
  ],
} as const;

/** Signed by a wallet that accepts the node of a key. */
export const walletConsentTypes = {
  WalletConsent: [
    { name: "key", type: "address" },
    { name: "wallet", type: "address" },
    { name: "sequence", type: "uint16" },
  ],
} as const;

/** Signed by a node's key. */
export const hardwareClaimTypes = {
  HardwareClaim: [
    { name: "nodeId", type: "uint32" },
    { name: "devices", type: "bytes32[]" },
    { name: "deadline", type: "uint64" },
  ],
} as const;
