// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The packed form of a Report: one word, with its detail as another
/// @dev | workspaceId 64 | replica 16 | lease 32 | fence 64 | state 8 | sequence 24 | deadline 48 |, high to low. Every bit
/// belongs to a field, so a report has one packing. The node signs the EIP-712 struct, which is reconstructed to be hashed.
library PackedReports {
    bytes32 private constant TYPEHASH = keccak256(
        "Report(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 state,bytes32 detail,"
        "uint24 sequence,uint64 deadline)"
    );

    /// @dev Any byte; it may be no valid state.
    function state(bytes32 head) internal pure returns (uint8) {
        return uint8(uint256(head) >> 72);
    }

    function sequence(bytes32 head) internal pure returns (uint24) {
        return uint24(uint256(head) >> 48);
    }

    function deadline(bytes32 head) internal pure returns (uint48) {
        return uint48(uint256(head));
    }

    /// @notice The EIP-712 struct hash of the report.
    function hash(bytes32 head, bytes32 detail) internal pure returns (bytes32 structHash) {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            // Beyond the free memory, which nothing else writes to in this block.
            let start := mload(0x40)
            mstore(start, typeHash)
            mstore(add(start, 0x20), shr(192, head)) // workspaceId
            mstore(add(start, 0x40), and(shr(176, head), 0xffff)) // replica
            mstore(add(start, 0x60), and(shr(144, head), 0xffffffff)) // lease
            mstore(add(start, 0x80), shl(192, shr(80, head))) // fence, a bytes8: to the left
            mstore(add(start, 0xa0), and(shr(72, head), 0xff)) // state
            mstore(add(start, 0xc0), detail)
            mstore(add(start, 0xe0), and(shr(48, head), 0xffffff)) // sequence
            mstore(add(start, 0x100), and(head, 0xffffffffffff)) // deadline
            structHash := keccak256(start, 0x120)
        }
    }
}
