// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerContract} from "../interfaces/IDockerContract.sol";

/// @title What the chain keeps of a replica's assignment: one slot
library Assignments {
    // | desired 8 | state 8 | sequence 24 | resources 88 | lease 32 | nodeId 32 | fence 64 |
    struct Assignment {
        bytes8 fence;
        uint32 nodeId;
        uint32 lease;
        /// @dev What it holds of the node, packed (ResourceMath).
        uint88 resources;
        uint24 sequence;
        IDockerContract.AssignmentState state;
        IDockerContract.Desired desired;
    }

    // | - 160 | lostAt 40 | sequence 24 | lease 32 |
    /// @notice That an exclusive lease was lost. It holds while the assignment has that lease and sequence: any report of the
    /// node clears it by raising the sequence.
    struct LostMark {
        uint32 lease;
        uint24 sequence;
        uint40 lostAt;
    }

    /// @notice When the lease was marked lost, or zero.
    function lostAtOf(Assignment memory assignment, LostMark memory mark) internal pure returns (uint40) {
        bool holds = mark.lease == assignment.lease && mark.sequence == assignment.sequence;
        return holds ? mark.lostAt : 0;
    }
}
