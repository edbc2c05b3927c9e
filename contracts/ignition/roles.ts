export const adminRole = 0n;

export const operations = {
  id: 1n,
  label: "operations",
  may: {
    ComputeNode: ["setHeartbeatCommitter(address,bool)", "setUptimePoster(address,bool)"],
    DockerContract: ["setKeeper(address,bool)"],
    Measure: ["setMeasureKeeper(address,bool)", "setMeasurersAdmitted(uint32[],bool)"],
    Pomc: ["setPoster(address)"],
  },
} as const;

const pause = "pause(bytes4[])";

const guardian = {
  id: 2n,
  label: "guardian",
  may: {
    ComputeNode: ["disableUptime(uint64)", pause],
    DockerContract: [pause],
    Progress: [pause],
    Measure: [pause],
    Escrow: [pause],
    Pomc: ["disableEpoch(uint64)", pause],
  },
} as const;

const unpause = "unpause(bytes4[])";

const unpauser = {
  id: 3n,
  label: "unpauser",
  may: {
    ComputeNode: [unpause],
    DockerContract: [unpause],
    Progress: [unpause],
    Measure: [unpause],
    Escrow: [unpause],
    Pomc: [unpause],
  },
} as const;

/** Roles of the AccessManager. Role 0, ADMIN, holds everything that is not listed, setDocker and setMinter among it. */
export const roles = [operations, guardian, unpauser] as const;
