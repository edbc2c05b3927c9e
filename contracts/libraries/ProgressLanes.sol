// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProgress} from "../interfaces/IProgress.sol";

/// @title Milestones of six neighbouring workspaces' replicas to a word
/// @dev Workspaces published together are distributed together, so a batch opens few new slots.
/// | - 16 | lane 5 | … | lane 0 |, a lane: | lease 32 | milestone 8 |; lane workspaceId % 6 of word (replica, workspaceId / 6).
library ProgressLanes {
    uint256 private constant LANES = 6;
    uint256 private constant LANE_BITS = 40;

    function read(mapping(uint256 => uint256) storage words, uint64 workspaceId, uint16 replica)
        internal
        view
        returns (uint32 lease, IProgress.Milestone milestone)
    {
        uint256 lane = words[_wordOf(workspaceId, replica)] >> ((workspaceId % LANES) * LANE_BITS);
        // Only milestones were written to the lane's low byte.
        return (uint32(lane >> 8), IProgress.Milestone(uint8(lane)));
    }

    function write(
        mapping(uint256 => uint256) storage words,
        uint64 workspaceId,
        uint16 replica,
        uint32 lease,
        IProgress.Milestone milestone
    ) internal {
        uint256 word = _wordOf(workspaceId, replica);
        uint256 shift = (workspaceId % LANES) * LANE_BITS;
        uint256 lane = (uint256(lease) << 8) | uint8(milestone);
        words[word] = (words[word] & ~(uint256(type(uint40).max) << shift)) | (lane << shift);
    }

    function _wordOf(uint64 workspaceId, uint16 replica) private pure returns (uint256) {
        return (uint256(replica) << 64) | (workspaceId / LANES);
    }
}
