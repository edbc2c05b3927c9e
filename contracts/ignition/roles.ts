export const adminRole = 0n;

export const operations = {
  id: 1n,
  label: "operations",
  may: {
    ComputeNode: ["setHeartbeatCommitter(address,bool)", "setUptimePoster(address,bool)"],
    DockerContract: ["setKeeper(address,bool)"],
    Measure: ["setMeasureKeeper(address,bool)"],
    Pomc: ["setPoster(address)"],
  },
} as const;

const guardian = {
  id: 2n,
  label: "guardian",
  may: { ComputeNode: ["disableUptime(uint64)"], Pomc: ["disableEpoch(uint64)"] },
} as const;

/** Roles of the AccessManager. Role 0, ADMIN, holds everything that is not listed, setDocker and setMinter among it. */
export const roles = [operations, guardian] as const;
