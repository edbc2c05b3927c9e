// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../libraries/Types.sol";
import {IDockerTypes} from "./IDockerTypes.sol";

/// @title Assignments of replicas to nodes: the part of DockerContract that is called most
interface IAssignments is IDockerTypes {
    /// @notice Stops a workspace until `startWorkspace`: assignments and starts of its replicas are refused. Also orders the given
    /// leases to stop, as `requestStop` does for the others. Stopping a stopped workspace is no change. Owner or delegate.
    /// @param workspaceId The workspace.
    /// @param leases Its leases to stop.
    function stopWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external;

    /// @notice Reopens a stopped workspace and orders the given leases to start. Owner or delegate.
    /// @param workspaceId The workspace.
    /// @param leases Its leases to start.
    function startWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external;

    /// @notice Assigns replicas to nodes: checks the spec's hash, the node's status, hardware, free capacity and price,
    /// reserves the capacity and opens the escrow lease. Owner, delegate or keeper. For an hour after a lease that had run was taken away,
    /// and for a day after it was lost, a keeper replaces it at no more than its price and a tenth, unless its owner updated the workspace.
    /// @param items The assignments; a refused one does not affect the others.
    function assign(Assign[] calldata items) external;

    /// @notice Refused while the workspace is stopped. Owner, delegate or keeper, like the next two.
    /// @param leases The leases.
    function requestStart(LeaseRef[] calldata leases) external;

    /// @notice Refused while the workspace is open.
    /// @param leases The leases.
    function requestStop(LeaseRef[] calldata leases) external;

    /// @notice A keeper deletes only what its owner no longer wants (the workspace is closed, has fewer replicas or was updated
    /// since), what does not run although it is ordered to, what is on a node that is not online, and what anyone may end.
    /// @param leases The leases.
    function requestDelete(LeaseRef[] calldata leases) external;

    /// @notice Nodes' signed reports, relayed by anyone. Deleted frees the capacity and closes the escrow lease.
    /// @param reports The packed reports.
    function reportBatch(SignedReport[] calldata reports) external;

    /// @notice The holder of a replica, for contracts that check a node's report about its lease.
    /// @param workspaceId The workspace.
    /// @param replica The replica.
    /// @return nodeId The node.
    /// @return lease The lease; zero when there was none.
    /// @return fence The fence of the lease.
    /// @return isLive Whether the lease has not ended.
    function tenancyOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (uint32 nodeId, uint32 lease, bytes8 fence, bool isLive);
}
