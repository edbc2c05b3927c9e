// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title EIP-712 struct hashes of messages whose fields are one word each
/// @dev The calldata of such a message equals its EIP-712 encoding, so it is hashed directly. A word with bits beyond its
/// field's type is not what was signed.
library StructHash {
    /// @param offset The position of the message in calldata.
    /// @param words The number of its fields.
    function ofWords(bytes32 typeHash, uint256 offset, uint256 words) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            // Beyond the free memory, which nothing else writes to in this block.
            let start := mload(0x40)
            mstore(start, typeHash)
            calldatacopy(add(start, 0x20), offset, shl(5, words))
            hash := keccak256(start, add(0x20, shl(5, words)))
        }
    }
}
