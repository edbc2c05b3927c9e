// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProgress} from "../interfaces/IProgress.sol";

/// @title Milestones of six neighbouring workspaces' replicas in one word
/// @dev Workspaces published together are distributed together, so a batch opens few new slots.
/// | - 16 | lane 5 | … | lane 0 |, a lane: | lease 32 | milestone 8 |; lane workspaceId % 6 of word (replica, workspaceId / 6).
library ProgressLanes {
    uint256 private constant LANES = 6;
    uint256 private constant LANE_BITS = 40;

    struct Lanes {
        uint256 word;
    }

    /// @notice The word with the replica's lane.
    function lanesOf(mapping(uint256 => Lanes) storage all, uint64 workspaceId, uint16 replica)
        internal
        view
        returns (Lanes storage)
    {
        return all[(uint256(replica) << 64) | (workspaceId / LANES)];
    }

    function read(Lanes storage lanes, uint64 workspaceId)
        internal
        view
        returns (uint32 lease, IProgress.Milestone milestone)
    {
        uint256 lane = lanes.word >> _shiftOf(workspaceId);
        // Only milestones were written to the lane's low byte.
        return (uint32(lane >> 8), IProgress.Milestone(uint8(lane)));
    }

    function write(Lanes storage lanes, uint64 workspaceId, uint32 lease, IProgress.Milestone milestone) internal {
        uint256 shift = _shiftOf(workspaceId);
        uint256 lane = (uint256(lease) << 8) | uint8(milestone);
        lanes.word = (lanes.word & ~(uint256(type(uint40).max) << shift)) | (lane << shift);
    }

    function _shiftOf(uint64 workspaceId) private pure returns (uint256) {
        return (workspaceId % LANES) * LANE_BITS;
    }
}
