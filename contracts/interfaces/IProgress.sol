// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBatch} from "./IBatch.sol";
import {IPauses} from "./IPauses.sol";

/// @title The progress of each workspace's image to each node
interface IProgress is IBatch, IPauses {
    enum Milestone {
        None,
        Accepted,
        Downloading,
        Downloaded,
        Verified
    }

    /// @notice Signed by the node's key; the milestone of a lease only rises, so a repeat is refused.
    struct ProgressReport {
        uint64 workspaceId;
        uint16 replica;
        uint32 lease;
        bytes8 fence;
        Milestone milestone;
        uint64 deadline;
    }

    /// @notice A packed ProgressReport.
    struct SignedProgress {
        /// @dev All fields: see PackedProgress.
        bytes32 head;
        /// @dev The signature of the ProgressReport, compact (ERC-2098).
        bytes32 r;
        bytes32 vs;
    }

    event ProgressReported(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, Milestone milestone
    );

    error ProgressLeaseStale(uint64 workspaceId, uint16 replica, uint32 lease, uint32 current);
    error ProgressFenceMismatch(bytes8 given, bytes8 current);
    error ProgressLeaseEnded(uint64 workspaceId, uint16 replica, uint32 lease);
    error ProgressNotIncreasing(Milestone given, Milestone current);

    /// @notice Nodes' signed reports, relayed by anyone.
    /// @param reports The packed reports.
    function reportBatch(SignedProgress[] calldata reports) external;

    /// @notice The last milestone of a replica's image.
    /// @param workspaceId The workspace.
    /// @param replica The replica.
    /// @return lease The lease that reported last.
    /// @return milestone Its milestone.
    function milestoneOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (uint32 lease, Milestone milestone);
}
