// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Drawing measurers, without anyone choosing them
/// @notice Before a round the keeper commits to the root over 8 draws, each a port and a salt. A block after the
/// commitment determines the seed, and salt and seed together select a measurer. So the keeper, who knows the salts, cannot
/// know the seed when it chooses them; the block's producer does not know the salts; and a draw is proven when it is
/// revealed, and discloses nothing about the others.
/// @dev A leaf is keccak256(abi.encode(port, salt)) at its draw's position, which the proof follows bit by bit: a keeper
/// cannot have two salts for one draw. packages/protocol/drawTree.ts computes the same hash.
library Draws {
    /// @dev Draws under one root.
    uint256 internal constant LEAVES = 8;

    /// @notice Whether the root contains this port and salt at the draw's position, which is below LEAVES.
    function isUnder(bytes32 root, uint256 place, uint16 port, bytes32 salt, bytes32[3] calldata proof)
        internal
        pure
        returns (bool)
    {
        bytes32 node = keccak256(abi.encode(port, salt));
        for (uint256 level; level < 3; ++level) {
            bytes32 sibling = proof[level];
            node = (place >> level) & 1 == 0
                ? keccak256(abi.encode(node, sibling))
                : keccak256(abi.encode(sibling, node));
        }
        return node == root;
    }

    /// @notice The first 64 bits of the hash of a block and a round, never zero; zero while the block does not exist or is more
    /// than 256 blocks back.
    /// @dev Guessing 64 bits gains nothing: they would have to be known before the salts are committed.
    function seedOf(uint64 roundId, uint256 blockNumber) internal view returns (uint64) {
        bytes32 blockHash = blockhash(blockNumber);
        if (blockHash == 0) return 0;
        return uint64(uint256(keccak256(abi.encode(blockHash, roundId))) >> 192) | 1;
    }

    /// @notice The position among the candidates that salt and seed select; there is at least one candidate.
    function pick(bytes32 salt, uint64 seed, uint32 candidates) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(salt, seed))) % candidates;
    }
}
