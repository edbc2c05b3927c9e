// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../interfaces/IDockerTypes.sol";

/// @title A replica's assignment: one slot, read and written as one word
library Assignments {
    // | fence 64 | nodeId 32 | lease 32 | resources 88 | sequence 24 | state 8 | desired 8 |, high to low
    struct Assignment {
        bytes8 fence;
        uint32 nodeId;
        uint32 lease;
        /// @dev Its resources on the node, packed (ResourceMath).
        uint88 resources;
        uint24 sequence;
        IDockerTypes.AssignmentState state;
        IDockerTypes.Desired desired;
    }

    // | - 160 | lostAt 40 | sequence 24 | lease 32 |
    /// @notice The mark of a lost exclusive lease. It holds while the assignment has that lease and sequence: any report of
    /// the node clears it by raising the sequence.
    struct LostMark {
        uint32 lease;
        uint24 sequence;
        uint40 lostAt;
    }

    /// @dev The bits of sequence and state.
    uint256 private constant REPORTED = 0xffffffff00;

    /// @dev Solidity writes a packed struct field by field, each a read and a write of the slot; this is one write.
    function pack(Assignment memory assignment) internal pure returns (uint256) {
        return (uint256(uint64(assignment.fence)) << 192) | (uint256(assignment.nodeId) << 160)
            | (uint256(assignment.lease) << 128) | (uint256(assignment.resources) << 40)
            | (uint256(assignment.sequence) << 16) | (uint256(assignment.state) << 8) | uint256(assignment.desired);
    }

    function unpack(uint256 packed) internal pure returns (Assignment memory) {
        // Each cast keeps exactly its field; only values of the enums were packed.
        return Assignment({
            fence: fenceOf(packed),
            nodeId: nodeIdOf(packed),
            lease: leaseOf(packed),
            resources: uint88(packed >> 40),
            sequence: sequenceOf(packed),
            state: stateOf(packed),
            desired: desiredOf(packed)
        });
    }

    function fenceOf(uint256 packed) internal pure returns (bytes8) {
        return bytes8(bytes32(packed));
    }

    function nodeIdOf(uint256 packed) internal pure returns (uint32) {
        return uint32(packed >> 160);
    }

    function leaseOf(uint256 packed) internal pure returns (uint32) {
        return uint32(packed >> 128);
    }

    function sequenceOf(uint256 packed) internal pure returns (uint24) {
        return uint24(packed >> 16);
    }

    function stateOf(uint256 packed) internal pure returns (IDockerTypes.AssignmentState) {
        return IDockerTypes.AssignmentState(uint8(packed >> 8));
    }

    function desiredOf(uint256 packed) internal pure returns (IDockerTypes.Desired) {
        return IDockerTypes.Desired(uint8(packed));
    }

    /// @notice The same assignment in another state, from a report with that sequence.
    function withReport(uint256 packed, IDockerTypes.AssignmentState state, uint24 sequence)
        internal
        pure
        returns (uint256)
    {
        return (packed & ~REPORTED) | (uint256(sequence) << 16) | (uint256(state) << 8);
    }

    /// @notice When the lease was marked lost, or zero.
    function lostAtOf(Assignment memory assignment, LostMark memory mark) internal pure returns (uint40) {
        bool holds = mark.lease == assignment.lease && mark.sequence == assignment.sequence;
        return holds ? mark.lostAt : 0;
    }
}
