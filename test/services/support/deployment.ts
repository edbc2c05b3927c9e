const at = (digit: string) => `0x${digit.repeat(40)}`;

/** A deployment's document, for tests that need its ids but not its contracts. */
export const deploymentDocument = {
  chainId: 31337,
  startBlock: "1",
  contracts: {
    AccessManager: at("1"),
    ComputeNode: at("2"),
    DockerContract: at("3"),
    Progress: at("4"),
    Measure: at("5"),
    ProofWaves: at("9"),
    Escrow: at("6"),
    Pomc: at("7"),
    Token: at("8"),
  },
  parameters: {
    slotSeconds: 10,
    heartbeatWindowSeconds: 600,
    daySeconds: 3_600,
    uptimeDelay: 60,
    epochSeconds: 60,
    settlementSeconds: 20,
    activationDelay: 2,
    genesis: 1_700_000_000,
    measureWindowSeconds: 60,
    measureTtlSeconds: 3600,
    clockMarginSeconds: 5,
    emissionPerEpoch: "1000000000000000000000",
    feeBasisPoints: 100,
  },
};
