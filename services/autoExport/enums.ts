import {
  assignmentStates,
  closeReasons,
  desiredStates,
  heartbeatEncodings,
  leaseClocks,
  milestones,
  nodeStatuses,
  policies,
  releaseReasons,
  waveStages,
} from "@ngpu/contracts-sdk/enumNames";

/** Names of enum values, by the enum's name in Solidity. */
export const enums: Record<string, readonly string[]> = {
  NodeStatus: nodeStatuses,
  HeartbeatEncoding: heartbeatEncodings,
  Policy: policies,
  AssignmentState: assignmentStates,
  Desired: desiredStates,
  ReleaseReason: releaseReasons,
  Milestone: milestones,
  CloseReason: closeReasons,
  Clock: leaseClocks,
  Stage: waveStages,
};

/** @param internalType As in the compiler's ABI: `enum IComputeNode.NodeStatus`. */
export function enumNames(internalType: string | undefined): readonly string[] | undefined {
  const match = /^enum (?:.*\.)?(\w+)$/.exec(internalType ?? "");
  return match === null ? undefined : enums[match[1] as string];
}
