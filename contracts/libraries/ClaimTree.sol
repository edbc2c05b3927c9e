// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The Merkle tree of what was granted, with nodes of 160 bits
/// @dev A grant is one word: | account 160 | cumulative 96 |. Its leaf is the first 160 bits of keccak256 of that word; an
/// internal node is the first 160 bits of keccak256 of its two children, the smaller first, 40 bytes. A leaf hashes 32 bytes
/// and a node 40, so neither passes for the other. A collision takes 2^80 hashes, and what it could win is bounded by the
/// epoch's total.
///
/// Nodes of 20 bytes for 32 make a 17-deep proof 204 bytes shorter: 3,264 gas of calldata.
library ClaimTree {
    uint256 private constant NODE_BYTES = 20;

    function leafOf(bytes32 grant) internal pure returns (bytes20 leaf) {
        assembly ("memory-safe") {
            mstore(0, grant)
            leaf := shl(96, shr(96, keccak256(0, 0x20)))
        }
    }

    /// @notice The root over a leaf and its siblings, lowest first, 20 bytes each.
    /// @return root Zero, which is no root, when the proof's length is not whole.
    function rootOf(bytes20 leaf, bytes calldata proof) internal pure returns (bytes20 root) {
        if (proof.length % NODE_BYTES != 0) return 0;
        root = leaf;
        for (uint256 offset; offset < proof.length; offset += NODE_BYTES) {
            root = _parentOf(root, _nodeAt(proof, offset));
        }
    }

    /// @notice The root over several leaves of one tree: leaves, then what was made of them, are taken in their order, two at a
    /// time or one with a node of the proof.
    /// @param flags One bit a step, lowest bit of the first byte first: 1 takes the second child from the queue, 0 from the proof.
    /// @return root Zero, which is no root, when the lengths do not fit each other.
    function rootOfMany(bytes32[] calldata grants, bytes calldata proof, bytes calldata flags)
        internal
        pure
        returns (bytes20 root)
    {
        uint256 count = grants.length;
        if (count == 0 || proof.length % NODE_BYTES != 0) return 0;
        // One step for each leaf and each proof node but the first.
        uint256 steps = count + proof.length / NODE_BYTES - 1;
        if (flags.length != (steps + 7) / 8) return 0;
        bytes20[] memory queue = new bytes20[](count + steps);
        for (uint256 i; i < count; ++i) {
            queue[i] = leafOf(grants[i]);
        }
        (uint256 head, uint256 tail, uint256 offset) = (0, count, 0);
        for (uint256 step; step < steps; ++step) {
            bytes20 other;
            bool isQueued = uint8(flags[step >> 3]) >> (step & 7) & 1 == 1;
            bytes20 first = queue[head++];
            if (isQueued) {
                if (head >= tail) return 0;
                other = queue[head++];
            } else {
                if (offset == proof.length) return 0;
                other = _nodeAt(proof, offset);
                offset += NODE_BYTES;
            }
            queue[tail++] = _parentOf(first, other);
        }
        // All leaves and proof nodes are used: the steps are as many as it takes for that.
        return offset == proof.length && head + 1 == tail ? queue[head] : bytes20(0);
    }

    function _nodeAt(bytes calldata proof, uint256 offset) private pure returns (bytes20 node) {
        // The callers stay within the proof; what follows the node's 20 bytes is cut.
        assembly ("memory-safe") {
            node := shl(96, shr(96, calldataload(add(proof.offset, offset))))
        }
    }

    function _parentOf(bytes20 a, bytes20 b) private pure returns (bytes20 parent) {
        (bytes20 lower, bytes20 upper) = a < b ? (a, b) : (b, a);
        // The second word begins where the first one's 20 bytes end.
        assembly ("memory-safe") {
            mstore(0, lower)
            mstore(20, upper)
            parent := shl(96, shr(96, keccak256(0, 40)))
        }
    }
}
