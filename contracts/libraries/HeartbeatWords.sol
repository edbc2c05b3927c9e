// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";

/// @title Words of 256 nodes of a heartbeat slot, and the trees over them
/// @notice See IComputeNode.HeartbeatWord. packages/protocol/heartbeatWords.ts computes the same.
library HeartbeatWords {
    /// @notice The word of a node and its bit.
    /// @dev Bytes count from the left, bits within a byte from the right. The zero id has a bit of a word that no slot has.
    function placeOf(uint32 nodeId) internal pure returns (uint32 index, uint256 bit) {
        unchecked {
            uint32 place = nodeId - 1;
            index = place >> 8;
            bit = 1 << ((31 - (place >> 3 & 31)) << 3 | place & 7);
        }
    }

    /// @notice The bits of a word that registered nodes have.
    function maskOf(uint32 index, uint32 registered) internal pure returns (uint256) {
        uint256 first = uint256(index) << 8;
        if (first >= registered) return 0;
        // Below 256 nodes are left, so no shift exceeds 248.
        unchecked {
            uint256 nodes = registered - first;
            if (nodes >= 256) return type(uint256).max;
            uint256 shift = 248 - (nodes >> 3 << 3);
            // The whole bytes before the last one, and the lowest bits of that.
            return (type(uint256).max << shift << 8) | (((1 << (nodes & 7)) - 1) << shift);
        }
    }

    /// @notice Whether a proof has the lengths that MerkleProof needs, which otherwise reverts.
    /// @dev There is a word, so that no proof is its own root.
    function isProvableWith(
        IComputeNode.HeartbeatWord[] calldata words,
        bytes32[] calldata proof,
        bool[] calldata proofFlags
    ) internal pure returns (bool) {
        uint256 flags = proofFlags.length;
        // Lengths of calldata.
        unchecked {
            if (words.length == 0 || words.length + proof.length != flags + 1) return false;
            uint256 siblings;
            for (uint256 i; i < flags; ++i) {
                if (!proofFlags[i]) ++siblings;
            }
            return siblings == proof.length;
        }
    }

    /// @notice The root that words and their proof lead to.
    function rootOf(
        IComputeNode.HeartbeatWord[] calldata words,
        bytes32[] calldata proof,
        bool[] calldata proofFlags
    ) internal pure returns (bytes32) {
        bytes32[] memory leaves = new bytes32[](words.length);
        for (uint256 i; i < words.length; ++i) {
            // Hashed twice, so that no inner node is a leaf.
            leaves[i] = keccak256(bytes.concat(keccak256(abi.encode(words[i].index, words[i].bits))));
        }
        return MerkleProof.processMultiProofCalldata(proof, proofFlags, leaves);
    }
}
