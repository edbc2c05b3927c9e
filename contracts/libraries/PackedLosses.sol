// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A witness's statement in one word
/// @dev | nodeId 32 | lastHeard 40 | statedAt 40 | - 144 |, high to low. The rest is ignored, as it is not signed.
library PackedLosses {
    bytes32 private constant LOST_TYPEHASH = keccak256("Lost(uint32 nodeId,uint40 lastHeard,uint40 statedAt)");

    /// @param head The packed statement.
    /// @return The node.
    function nodeId(bytes32 head) internal pure returns (uint32) {
        return uint32(uint256(head) >> 224);
    }

    /// @param head The packed statement.
    /// @return When the witness last heard of the node, Unix seconds.
    function lastHeard(bytes32 head) internal pure returns (uint40) {
        return uint40(uint256(head) >> 184);
    }

    /// @param head The packed statement.
    /// @return When the witness said so, Unix seconds.
    function statedAt(bytes32 head) internal pure returns (uint40) {
        return uint40(uint256(head) >> 144);
    }

    /// @notice The EIP-712 struct hash that the witness signs.
    /// @param head The packed statement.
    /// @return The hash.
    function hash(bytes32 head) internal pure returns (bytes32) {
        return keccak256(abi.encode(LOST_TYPEHASH, nodeId(head), lastHeard(head), statedAt(head)));
    }
}
