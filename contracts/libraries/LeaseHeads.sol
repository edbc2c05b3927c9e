// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Which lease a packed report is about: how every such word begins
/// @dev | workspaceId 64 | replica 16 | lease 32 | fence 64 | the report's own 80 |, high to low.
library LeaseHeads {
    /// @notice As Leases.keyOf: workspace and replica stand here just as they do in a replica's key.
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
