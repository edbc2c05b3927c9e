// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Who is drawn to measure, without anyone choosing
/// @notice Before a round the keeper commits to the root over 8 draws, each a port and a salt. A block that comes after the
/// commitment gives the seed, and salt and seed together name a measurer. So the keeper, who knows the salts, cannot know the
/// seed when it chooses them; whoever knows the seed does not know the salts; and a draw proves itself when it is revealed,
/// and says nothing of the others.
/// @dev A leaf is keccak256(abi.encode(port, salt)) and stands at its draw's place, which the proof follows bit by bit: a keeper
/// cannot have two salts for one draw. packages/protocol/drawTree.ts hashes the same.
library Draws {
    /// @dev Draws under one root.
    uint256 internal constant LEAVES = 8;

    /// @notice Whether the root holds this port and salt at the draw's place, which is below LEAVES.
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

    /// @notice The first 64 bits of what a block makes of a round, never zero; zero while the block is not there or is more than 256
    /// blocks back.
    /// @dev Nobody gains by guessing 64 bits: they have to be foreseen before the salts are committed.
    function seedOf(uint64 roundId, uint256 blockNumber) internal view returns (uint64) {
        bytes32 blockHash = blockhash(blockNumber);
        if (blockHash == 0) return 0;
        return uint64(uint256(keccak256(abi.encode(blockHash, roundId))) >> 192) | 1;
    }

    /// @notice The place among the candidates that salt and seed name; there is at least one candidate.
    function pick(bytes32 salt, uint64 seed, uint32 candidates) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(salt, seed))) % candidates;
    }
}
