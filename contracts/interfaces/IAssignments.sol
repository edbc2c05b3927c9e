// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../libraries/Types.sol";
import {IDockerTypes} from "./IDockerTypes.sol";

/// @title Assignments of replicas to nodes: the part of DockerContract that is called most
interface IAssignments is IDockerTypes {
    /// @notice Lets `account` assign, order and release for any workspace within its owner's authorization, or stops it.
    /// Restricted.
    function setKeeper(address account, bool allowed) external;

    /// @notice Stops a workspace until `startWorkspace`: assignments and starts of its replicas are refused. Also orders the given
    /// leases to stop, as `requestStop` does for the others. Stopping a stopped workspace is no change. Owner or delegate.
    function stopWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external;

    /// @notice Reopens a stopped workspace and orders the given leases to start. Owner or delegate.
    function startWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external;

    /// @notice Assigns replicas to nodes: checks the spec's hash, the node's status, hardware, free capacity and price,
    /// reserves the capacity and opens the escrow lease. Owner, delegate or keeper.
    function assign(Assign[] calldata items) external;

    /// @notice Refused while the workspace is stopped. Owner, delegate or keeper, like the next two.
    function requestStart(LeaseRef[] calldata leases) external;

    /// @notice Refused while the workspace is open.
    function requestStop(LeaseRef[] calldata leases) external;
    function requestDelete(LeaseRef[] calldata leases) external;

    /// @notice Nodes' signed reports, relayed by anyone. Deleted frees the capacity and closes the escrow lease.
    function reportBatch(SignedReport[] calldata reports) external;

    /// @notice Ends leases of lost nodes (reason Lost) and of replicas that failed (reason Replaced). Keepers only.
    /// Available: immediately. Exclusive: the first call marks the lease lost, and a call after grace and clock margin
    /// releases it; a report of the node in between clears the mark.
    function releaseLost(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external;

    /// @notice Ends leases that anyone may end, settling them first: the workspace expired (reason Expired); the account, the
    /// authorization or the lock is spent (Unfunded); the replica does not run, startSeconds after it had to start (Late); or the
    /// node does not confirm the order to delete within restSeconds (Silent). An exclusive lease that is not expired is marked
    /// lost first and released after grace and clock margin, as by `releaseLost`.
    /// @param leases The leases.
    /// @param specs The spec of each lease's workspace.
    function releaseEnded(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external;

    function isKeeper(address account) external view returns (bool);

    /// @notice The latest assignment of a replica; its lease is zero when there was none.
    function assignmentOf(uint64 workspaceId, uint16 replica) external view returns (Assignment memory);

    /// @notice The holder of a replica, for contracts that check a node's report about its lease.
    function tenancyOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (uint32 nodeId, uint32 lease, bytes8 fence, bool isLive);

    /// @notice Seconds added to an exclusive workspace's grace before its lease can be released.
    function clockMarginSeconds() external view returns (uint40);
}
