const refusals = ["refusal.length != 0", "false"] as const;

/** One or more faults for each fuzz test: the test, the file, the original text, and the changed text. */
export const fuzzFaults: readonly (readonly [test: string, file: string, was: string, now: string])[] = [
  ["test_registrations", "node/Registration.sol", ...refusals],
  ["test_statuses", "node/NodeChanges.sol", ...refusals],
  ["test_reports", "docker/Reports.sol", ...refusals],
  ["test_publications", "docker/Workspaces.sol", ...refusals],
  ["test_assignments", "docker/DockerState.sol", ...refusals],
  ["test_releases", "docker/Releases.sol", ...refusals],
  ["test_orders", "docker/DockerState.sol", "ref.lease != assignment.lease", "false"],
  ["test_lengths", "SignedBatch.sol", "items > MAX_ITEMS", "items > (MAX_ITEMS + 1)"],
  ["test_resourcesComeBack", "libraries/ResourceMath.sol", "uint8(packed >> 80)", "uint8(packed >> 79)"],
  [
    "test_resourcesCoverLaneByLane",
    "libraries/ResourceMath.sol",
    "uint24(a >> 32) >= uint24(b >> 32)",
    "uint24(a >> 32) > uint24(b >> 32)",
  ],
  ["test_assignmentsComeBack", "libraries/Assignments.sol", "sequence) << 16)", "sequence) << 15)"],
  ["test_lossesComeBack", "libraries/PackedLosses.sol", "uint256(head) >> 184", "uint256(head) >> 183"],
  ["test_presenceIsRead", "libraries/HeartbeatBits.sol", "last == nodeId", "last != nodeId"],
  ["test_presenceIsRead", "libraries/HeartbeatBits.sol", "nodeId > nodeCount", "nodeId >= nodeCount"],
  ["test_measurementsComeBack", "libraries/Measurements.sol", "uint32(packed >> 32)", "uint32(packed >> 33)"],
  ["test_medianIsInTheMiddle", "libraries/Measurements.sol", "results.length - 1)", "results.length + 1)"],
  [
    "test_medianIsInTheMiddle",
    "libraries/Measurements.sol",
    "sorted[place - 1] > value",
    "sorted[place - 1] <= value",
  ],
  [
    "test_roundsEndWithWhatEnoughResultsSay",
    "libraries/Measurements.sol",
    "reached < needed &&",
    "reached <= needed &&",
  ],
  [
    "test_roundsEndWithWhatEnoughResultsSay",
    "libraries/Measurements.sol",
    "results.length - count >= needed",
    "results.length - count > needed",
  ],
  [
    "test_packedReportsAreHashedAsSigned",
    "libraries/PackedReports.sol",
    "and(shr(72, head), 0xff)",
    "and(shr(72, head), 254)",
  ],
  [
    "test_packedProgressIsHashedAsSigned",
    "libraries/PackedProgress.sol",
    "and(shr(64, head), 0xffff)",
    "and(shr(64, head), 65534)",
  ],
  ["test_lanesKeepToThemselves", "libraries/ProgressLanes.sol", "* LANE_BITS", "* (LANE_BITS - 1)"],
  ["test_ringTellsItsSlots", "libraries/HeartbeatRing.sol", "uint64(entry) == slot", "uint64(entry) != slot"],
  [
    "test_debtsAddUp",
    "libraries/Accounts.sol",
    "account.rateTime -= uint128(rate) * since;",
    "account.rateTime -= uint128(rate) / since;",
  ],
];
