// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The head of a packed report: its lease
/// @dev | workspaceId 64 | replica 16 | lease 32 | fence 64 | the report's fields 80 |, high to low.
library LeaseHeads {
    /// @notice As Leases.keyOf: workspace and replica have the same layout as in a replica's key.
    function replicaKey(bytes32 head) internal pure returns (uint256) {
        return uint256(head) >> 176;
    }

    function workspaceId(bytes32 head) internal pure returns (uint64) {
        return uint64(uint256(head) >> 192);
    }

    function replica(bytes32 head) internal pure returns (uint16) {
        return uint16(uint256(head) >> 176);
    }

    function lease(bytes32 head) internal pure returns (uint32) {
        return uint32(uint256(head) >> 144);
    }

    function fence(bytes32 head) internal pure returns (bytes8) {
        return bytes8(head << 112);
    }
}
