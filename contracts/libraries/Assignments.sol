// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../interfaces/IDockerTypes.sol";

/// @title A replica's assignment: one slot, read and written as one word
library Assignments {
    // | fence 64 | nodeId 32 | lease 32 | resources 88 | sequence 24 | version 8 | state 4 | desired 4 |, high to low
    struct Assignment {
        bytes8 fence;
        uint32 nodeId;
        uint32 lease;
        /// @dev Its resources on the node, packed (ResourceMath).
        uint88 resources;
        uint24 sequence;
        /// @dev The number of updates of its workspace when it was assigned, modulo 2^8.
        uint8 version;
        IDockerTypes.AssignmentState state;
        IDockerTypes.Desired desired;
    }

    // | - 48 | version 8 | priceLimit 64 | limitedUntil 40 | lostAt 40 | sequence 24 | lease 32 |
    /// @notice The mark of a lost exclusive lease. It holds while the assignment has that lease and sequence: any report of
    /// the node clears it by raising the sequence. Also the highest price at which a keeper replaces a lease of the replica
    /// that was taken away, and until when.
    struct LostMark {
        uint32 lease;
        uint24 sequence;
        uint40 lostAt;
        uint40 limitedUntil;
        uint64 priceLimit;
        /// @dev The version of the lease that was taken away: an update of the workspace ends the limit.
        uint8 version;
    }

    /// @dev The bits of sequence and state.
    uint256 private constant REPORTED = 0xffffff00f0;

    /// @dev Solidity writes a packed struct field by field, each a read and a write of the slot; this is one write.
    function pack(Assignment memory assignment) internal pure returns (uint256) {
        return (uint256(uint64(assignment.fence)) << 192) | (uint256(assignment.nodeId) << 160)
            | (uint256(assignment.lease) << 128) | (uint256(assignment.resources) << 40)
            | (uint256(assignment.sequence) << 16) | (uint256(assignment.version) << 8)
            | (uint256(assignment.state) << 4) | uint256(assignment.desired);
    }

    function unpack(uint256 packed) internal pure returns (Assignment memory) {
        // Each cast keeps exactly its field; only values of the enums were packed.
        return Assignment({
            fence: fenceOf(packed),
            nodeId: nodeIdOf(packed),
            lease: leaseOf(packed),
            resources: uint88(packed >> 40),
            sequence: sequenceOf(packed),
            version: uint8(packed >> 8),
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
        return IDockerTypes.AssignmentState((packed >> 4) & 0xf);
    }

    function desiredOf(uint256 packed) internal pure returns (IDockerTypes.Desired) {
        return IDockerTypes.Desired(packed & 0xf);
    }

    /// @notice The same assignment in another state, from a report with that sequence.
    function withReport(uint256 packed, IDockerTypes.AssignmentState state, uint24 sequence)
        internal
        pure
        returns (uint256)
    {
        return (packed & ~REPORTED) | (uint256(sequence) << 16) | (uint256(state) << 4);
    }

    /// @notice When the lease was marked lost, or zero.
    function lostAtOf(Assignment memory assignment, LostMark memory mark) internal pure returns (uint40) {
        bool holds = mark.lease == assignment.lease && mark.sequence == assignment.sequence;
        return holds ? mark.lostAt : 0;
    }

    /// @notice Whether the replica serves, or rests by its owner's order: a lease that is worth something to its owner.
    function isKept(Assignment memory assignment) internal pure returns (bool) {
        return assignment.state == IDockerTypes.AssignmentState.Running
            || assignment.desired == IDockerTypes.Desired.Stop;
    }

    /// @notice Whether the price of a replacement is limited.
    /// @param version The version of the workspace.
    function isLimited(LostMark memory mark, uint8 version) internal view returns (bool) {
        return block.timestamp < mark.limitedUntil && mark.version == version;
    }

    /// @notice Marks a lease as taken away: its replacement costs at most a tenth more. A limit that is still in force is never
    /// raised or shortened.
    /// @param rate The price of the lease.
    /// @param version The version of the workspace that the lease was assigned under.
    /// @param limitSeconds How long the limit holds.
    /// @return The limit, and until when it holds.
    function take(LostMark storage mark, uint64 rate, uint8 version, uint256 limitSeconds)
        internal
        returns (uint64, uint40)
    {
        uint256 limit = uint256(rate) + rate / 10;
        uint256 until = block.timestamp + limitSeconds;
        if (limit > type(uint64).max) limit = type(uint64).max;
        if (isLimited(mark, version)) {
            if (mark.priceLimit < limit) limit = mark.priceLimit;
            if (mark.limitedUntil > until) until = mark.limitedUntil;
        }
        (mark.limitedUntil, mark.priceLimit, mark.version) = (uint40(until), uint64(limit), version);
        return (uint64(limit), uint40(until));
    }
}
