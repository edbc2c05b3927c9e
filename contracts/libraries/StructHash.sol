// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title EIP-712 struct hashes of messages whose fields are one word each
/// @dev Such a message stands in calldata just as EIP-712 encodes it, so it is hashed as it is. A word with bits beyond its
/// field's type is not what anyone signed.
library StructHash {
    /// @param offset Where the message begins in calldata.
    /// @param words How many fields it has.
    function ofWords(bytes32 typeHash, uint256 offset, uint256 words) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            // Beyond the free memory, which nothing is written to meanwhile.
            let start := mload(0x40)
            mstore(start, typeHash)
            calldatacopy(add(start, 0x20), offset, shl(5, words))
            hash := keccak256(start, add(0x20, shl(5, words)))
        }
    }
}
