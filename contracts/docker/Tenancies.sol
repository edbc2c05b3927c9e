// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAssignments} from "../interfaces/IAssignments.sol";
import {AssignmentStates} from "../libraries/AssignmentStates.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {DockerState} from "./DockerState.sol";

/// @title The holders of replicas, for other contracts
abstract contract Tenancies is IAssignments, DockerState {
    using Assignments for *;
    using AssignmentStates for AssignmentState;

    /// @inheritdoc IAssignments
    function tenancyOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (uint32 nodeId, uint32 lease, bytes8 fence, bool isLive)
    {
        uint256 assignment = _assignments[Leases.keyOf(workspaceId, replica)];
        (nodeId, lease, fence) = (assignment.nodeIdOf(), assignment.leaseOf(), assignment.fenceOf());
        isLive = assignment.stateOf().isLive();
    }
}
