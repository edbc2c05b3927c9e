import type { FleetBlock, FleetNode } from "@ngpu/placement/fleet";
import { by, type ChainLog } from "@ngpu/rewards/chainLogs";
import type { WaveOutcome } from "@ngpu/waves/history";
import { createFleetFollower } from "./fleetFollower.ts";

/** The events that placements depend on, by contract. */
export const placementEvents = {
  ComputeNode: [
    "NodeRegistered",
    "NodeSpecUpdated",
    "NodeStatusChanged",
    "HeartbeatsCommitted",
    "HeartbeatsDisputed",
    "PresenceChallenged",
  ],
  DockerContract: [
    "WorkspacePublished",
    "WorkspaceUpdated",
    "WorkspaceClosed",
    "Assigned",
    "StateChanged",
    "DeleteRequested",
    "Released",
    "PriceLimited",
    "ItemRefused",
  ],
  Measure: ["MeasureRequested", "MeasureFinalized"],
} as const;

/** Every node as of a block, from all logs. */
export function fleetOfLogs(
  logs: readonly ChainLog[],
  block: FleetBlock,
  waves: readonly WaveOutcome[],
): FleetNode[] {
  const follower = createFleetFollower(waves);
  for (const log of logs.filter(by(block.number))) follower.take(log);
  return follower.at(block);
}
