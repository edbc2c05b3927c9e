// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The packed form of a ProgressReport: one word
/// @dev | workspaceId 64 | replica 16 | lease 32 | fence 64 | milestone 16 | deadline 64 |, high to low. Every bit belongs to a
/// field, so a report has one packing. The node signs the EIP-712 struct, which is reconstructed to be hashed.
library PackedProgress {
    bytes32 private constant TYPEHASH = keccak256(
        "ProgressReport(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 milestone,uint64 deadline)"
    );

    /// @dev Any two bytes; they may be no valid milestone.
    function milestone(bytes32 head) internal pure returns (uint16) {
        return uint16(uint256(head) >> 64);
    }

    function deadline(bytes32 head) internal pure returns (uint64) {
        return uint64(uint256(head));
    }

    /// @notice The EIP-712 struct hash of the report, whose milestone is valid.
    function hash(bytes32 head) internal pure returns (bytes32 structHash) {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            // Beyond the free memory, which nothing else writes to in this block.
            let start := mload(0x40)
            mstore(start, typeHash)
            mstore(add(start, 0x20), shr(192, head)) // workspaceId
            mstore(add(start, 0x40), and(shr(176, head), 0xffff)) // replica
            mstore(add(start, 0x60), and(shr(144, head), 0xffffffff)) // lease
            mstore(add(start, 0x80), shl(192, shr(80, head))) // fence, a bytes8: to the left
            mstore(add(start, 0xa0), and(shr(64, head), 0xffff)) // milestone
            mstore(add(start, 0xc0), and(head, 0xffffffffffffffff)) // deadline
            structHash := keccak256(start, 0xe0)
        }
    }
}
