// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";

/// @title Reading one node's bit of a committed heartbeat slot
library HeartbeatBits {
    /// @notice Whether the bits say that the node was present: see IComputeNode.HeartbeatEncoding.
    /// @param bits As they were committed.
    /// @param encoding Their encoding.
    /// @param nodeCount The number of nodes that they are about.
    /// @param nodeId The node.
    /// @return Whether it was present.
    function has(bytes calldata bits, IComputeNode.HeartbeatEncoding encoding, uint32 nodeCount, uint32 nodeId)
        internal
        pure
        returns (bool)
    {
        if (nodeId == 0 || nodeId > nodeCount) return false;
        if (encoding == IComputeNode.HeartbeatEncoding.Absentees) return !_isListed(bits, nodeId);
        uint256 position = nodeId - 1;
        return uint8(bits[position / 8]) >> (position % 8) & 1 == 1;
    }

    /// @dev Distances in LEB128, of at most 5 bytes each as far as a committed one is read; the sum is compared as it grows.
    function _isListed(bytes calldata bits, uint32 nodeId) private pure returns (bool) {
        uint256 last;
        uint256 distance;
        uint256 shift;
        for (uint256 i; i < bits.length; ++i) {
            uint256 part = uint8(bits[i]);
            distance |= (part & 0x7f) << shift;
            if (part >= 0x80) {
                shift += 7;
                continue;
            }
            // A sum over 2^256 would need more bytes than a block has.
            unchecked {
                last += distance;
            }
            if (last >= nodeId) return last == nodeId;
            (distance, shift) = (0, 0);
        }
        return false;
    }
}
